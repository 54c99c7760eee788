import pytest

from spatial_erasing.models import BASELINE_NAMES, MODEL_NAMES, ModelSpec, paper_name, parse_model

# The first column of Table 1, copied from the paper, in its order.
PAPER_ROWS = [
    *("2D-None", "3D-None", "2D-Patch-0", "2D-Patch-n", "3D-Cube-0", "3D-Cube-n"),
    *("2D-Multi-Patch-0", "2D-Multi-Patch-n", "3D-Multi-Cube-0", "3D-Multi-Cube-n"),
    *("2D-Half-Slice-0", "2D-Half-Slice-n", "3D-Half-Volume-0", "3D-Half-Volume-n"),
]


def test_paper_names_are_the_rows_of_table_1_in_order():
    assert [paper_name(name) for name in MODEL_NAMES] == PAPER_ROWS


def test_baselines_print_as_words():
    assert [paper_name(name) for name in BASELINE_NAMES] == ["Mean healthy volume", "Median of the brain"]


@pytest.mark.parametrize(
    "name, expected",
    [
        ("2d-none", (2, "none", "none")),
        ("3d-none", (3, "none", "none")),
        ("2d-patch-zero", (2, "single", "zero")),
        ("3d-cube-noise", (3, "single", "noise")),
        ("2d-multi-patch-noise", (2, "multi", "noise")),
        ("3d-multi-cube-zero", (3, "multi", "zero")),
        ("2d-half-slice-zero", (2, "half", "zero")),
        ("3d-half-volume-noise", (3, "half", "noise")),
    ],
)
def test_name_says_dimensions_strategy_and_fill(name, expected):
    assert parse_model(name) == ModelSpec(name, *expected)


def test_models_are_two_dimensions_times_three_strategies_times_two_fills_and_two_without_erasing():
    specs = [parse_model(name) for name in MODEL_NAMES]
    described = {(spec.spatial_dims, spec.strategy, spec.fill) for spec in specs}
    product = {
        (dims, strategy, fill)
        for dims in (2, 3)
        for strategy in ("single", "multi", "half")
        for fill in ("zero", "noise")
    }
    assert described == product | {(2, "none", "none"), (3, "none", "none")}
    assert len(specs) == len(described) == 14


@pytest.mark.parametrize("name", ["2d-cube-zero", "3d-cube", "3D-Cube-n", "2d-none-zero", "", "4d-none"])
def test_unknown_name_is_an_error_that_lists_all(name):
    for function in (parse_model, paper_name):
        with pytest.raises(ValueError, match="expected one of") as error:
            function(name)
        assert all(known in str(error.value) for known in (f"'{name}'", *MODEL_NAMES, *BASELINE_NAMES))


@pytest.mark.parametrize("name", BASELINE_NAMES)
def test_baseline_has_no_network_to_parse(name):
    with pytest.raises(ValueError, match=f"{name}.*no network"):
        parse_model(name)
