import pytest
from paper_study import BASELINES, CONFIG, METHODS, NETWORKS

from spatial_erasing.models import (
    PaperModel,
    list_methods,
    methods_of_paper,
    model_and_score,
    read_methods,
    trained_entries,
)

# The first column of Table 1, copied from the paper, in its order.
PAPER_ROWS = [
    *("2D-None", "3D-None", "2D-Patch-0", "2D-Patch-n", "3D-Cube-0", "3D-Cube-n"),
    *("2D-Multi-Patch-0", "2D-Multi-Patch-n", "3D-Multi-Cube-0", "3D-Multi-Cube-n"),
    *("2D-Half-Slice-0", "2D-Half-Slice-n", "3D-Half-Volume-0", "3D-Half-Volume-n"),
]


def methods_with(entries=None, scores=None, **study):
    """The methods of the config with further entries."""
    changed = {"models": CONFIG["models"] | (entries or {}), "scores": CONFIG["scores"] | (scores or {})}
    return list_methods(CONFIG | changed | {"study": CONFIG["study"] | study})


def test_titles_are_the_rows_of_table_1_in_order():
    assert [METHODS[name].title for name in NETWORKS] == PAPER_ROWS


def test_baselines_print_as_words():
    assert [METHODS[name].title for name in BASELINES] == ["Mean healthy volume", "Median of the brain"]


def test_the_paper_s_models_are_dimensions_times_erasings_times_fills_and_two_without():
    product = {
        PaperModel(dims, erase, fill)
        for dims in (2, 3)
        for erase in ("cube", "multi_cube", "half")
        for fill in ("zero", "noise")
    }
    nothing = {PaperModel(dims, "none", "none") for dims in (2, 3)}
    assert {METHODS[name].paper_model for name in NETWORKS} == product | nothing and len(NETWORKS) == 14
    assert methods_of_paper(METHODS).keys() >= product | nothing


def test_a_method_with_another_score_says_so_and_is_not_the_paper_s():
    scores = {"dark": {"kind": "absolute", "title": "dark residual"}}
    methods = methods_with(scores=scores, example_model="3d-none@dark")
    method = methods["3d-none@dark"]
    assert (method.title, method.model, method.score) == ("3D-None, dark residual", "3d-none", "dark")
    assert method.paper_model is None and methods["3d-none"].paper_model is not None
    assert "3d-none@dark" not in methods_with(scores=scores)


def test_another_network_is_not_the_paper_s_and_has_a_look_of_its_own():
    entry = CONFIG["models"]["3d-none"] | {"network": "other", "title": "Other"}
    methods = methods_with({"other": entry})
    assert methods["other"].paper_model is None
    places = [methods[name].place for name in ("3d-none", "3d-cube-zero", "3d-half-volume-noise")]
    assert places == [0, 1, 3] and methods["other"].place == 1 + max(
        method.place for method in METHODS.values() if not method.is_baseline
    )


def test_a_further_entry_changes_nothing_of_the_others():
    methods = methods_with({"own": CONFIG["models"]["3d-none"] | {"network": "other", "title": "Own"}})
    assert {name: methods[name] for name in METHODS} == METHODS


def test_plain_values_bring_the_methods_back():
    assert read_methods(vars(method) for method in METHODS.values()) == METHODS


@pytest.mark.parametrize(
    "name, parts", [("3d-none", ("3d-none", None)), ("3d-none@dark", ("3d-none", "dark")), ("a@", ("a", ""))]
)
def test_a_name_is_a_model_and_perhaps_a_score(name, parts):
    assert model_and_score(name) == parts


def test_baselines_are_not_trained_and_a_score_trains_nothing():
    study = CONFIG["study"] | {"table_1_models": ["3d-none@dark"], "models": ["3d-none"]}
    study |= {"table_2_models": [], "example_model": "3d-none"}
    assert list(trained_entries(CONFIG | {"study": study})) == ["3d-none"]
