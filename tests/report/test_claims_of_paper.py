import pytest
from paper_study import METHODS

from spatial_erasing.evaluate.claims import CLAIMS
from spatial_erasing.evaluate.contrasts import Naming
from spatial_erasing.models import methods_of_paper
from spatial_erasing.report.claims_of_paper import verdict_of_paper

VERDICTS = {claim.name: verdict_of_paper(claim, Naming(methods_of_paper(METHODS))) for claim in CLAIMS}


def against(claim):
    return {(part.title, part.cohort, part.metric): value for part, value in VERDICTS[claim].against}


def test_the_paper_s_table_breaks_some_of_its_own_claims():
    """Differences read off the printed Tables 1 by hand."""
    assert against("erasing-helps") == {
        ("3D-Cube-0 − 3D-None", "atlas", "average_precision"): pytest.approx(23.47 - 23.74),
        ("3D-Half-Volume-0 − 3D-None", "atlas", "average_precision"): pytest.approx(23.14 - 23.74),
        ("2D-Half-Slice-0 − 2D-None", "atlas", "dice_subject_mean"): pytest.approx(11.05 - 11.23),
    }
    assert against("noise-beats-zeros") == {
        ("2D-Patch-n − 2D-Patch-0", "atlas", "dice_dataset"): pytest.approx(27.42 - 27.68),
        ("2D-Patch-n − 2D-Patch-0", "atlas", "average_precision"): pytest.approx(18.20 - 18.65),
        ("3D-Cube-n − 3D-Cube-0", "atlas", "dice_subject_mean"): pytest.approx(15.53 - 15.59),
        ("3D-Multi-Cube-n − 3D-Multi-Cube-0", "atlas", "dice_subject_mean"): pytest.approx(14.99 - 15.23),
    }
    for claim in ("erasing-helps", "noise-beats-zeros", "3d-single-cube-best", "2d-half-slice-best"):
        assert VERDICTS[claim].verdict == "some"


def test_the_single_cube_is_beaten_by_the_half_volume_on_strokes():
    broken = against("3d-single-cube-best")
    assert broken["3D-Cube-n − 3D-Half-Volume-n", "atlas", "dice_dataset"] == pytest.approx(32.68 - 33.05)
    assert all(cohort == "atlas" for _, cohort, _ in broken)


def test_3d_beats_2d_and_t1ce_beats_t1_everywhere_in_the_paper():
    assert VERDICTS["3d-beats-2d"].verdict == VERDICTS["3d-beats-2d-everywhere"].verdict == "all"
    assert VERDICTS["t1ce-helps"].verdict == "all"
    assert VERDICTS["t1ce-helps"].mean == pytest.approx(
        (31.80 - 27.99 + 29.08 - 26.58 + 24.28 - 22.54 + 36.67 - 30.10 + 33.40 - 28.80 + 31.12 - 27.85) / 6
    )


def test_every_difference_of_the_printed_tables_is_used():
    assert len(VERDICTS["3d-beats-2d-everywhere"].differences) == 42
    assert len(VERDICTS["erasing-helps"].differences) == 72


def test_what_only_figures_show_has_no_printed_number():
    for claim in ("3d-helps-small-lesions-most", "3d-with-a-fifth-beats-2d", "slices-3d-and-erasing-help"):
        assert VERDICTS[claim].verdict == "not printed" and VERDICTS[claim].mean is None
