import pytest
from paper_study import CONFIG

from spatial_erasing.config_values import share_findings
from spatial_erasing.train.boxes import percent_within_limits
from spatial_erasing.train.settings import ErasingSettings


def config_of(minimum, maximum, *, regions=10, grid=(64, 64, 64)):
    erasing = {
        "probability": 0.5,
        "minimum_share": minimum,
        "maximum_share": maximum,
        "maximum_regions": regions,
        "maximum_slices": 8,
        "noise_from": "image",
    }
    study = {
        "table_1_models": ["2d-none", "3d-half-volume-zero"],
        "models": ["2d-patch-zero"],
        "table_2_models": ["3d-cube-noise"],
        "example_model": "3d-multi-cube-noise",
        "baselines": ["baseline-mean-healthy"],
    }
    return {
        "study": study,
        "models": CONFIG["models"],
        "train": {"erasing": erasing},
        "preprocess": {"grid_voxels": list(grid)},
    }


@pytest.mark.parametrize("size", [16, 64])
@pytest.mark.parametrize("maximum", [0.02, 0.25, 0.6])
@pytest.mark.parametrize("regions", [1, 10])
def test_a_range_that_is_not_drawn_for_the_check_is_wide_enough(size, maximum, regions):
    settings = ErasingSettings(
        minimum_share=maximum / 3, maximum_share=maximum, maximum_regions=regions, maximum_slices=8
    )
    for dims in (2, 3):
        assert percent_within_limits((size,) * dims, settings=settings, samples=200) > 6


def test_each_kind_of_box_that_cannot_meet_the_limits_is_named_and_no_other():
    found = list(share_findings(config_of(0.95, 0.96)))
    assert [finding.partition(" at most on ")[0].rpartition("of ")[2] for finding in found] == [
        "1 square",
        "1 cube",
        "10 cubes",
    ]
    assert list(share_findings(config_of(0.1, 0.2))) == []
    assert list(share_findings(config_of(0.96, 0.95))) == []  # said once already, by order_findings
