"""Figure 5 and several seeds: a study that trains on shares of the healthy subjects, each model twice."""

import pytest

from spatial_erasing.cohorts import read_rows

pytestmark = pytest.mark.long

MODELS = ("2d-patch-noise", "3d-cube-noise")


@pytest.fixture(scope="module")
def larger(study, tmp_path_factory):
    """The tiny study, grown to two shares and two seeds, and what was planned when it grew."""
    larger = study.copy(tmp_path_factory.mktemp("shares and seeds"))
    overlay = larger.workflow / "tiny.yaml"
    text = overlay.read_text().replace(
        "fractions_percent: [100]", "fractions_percent: [40, 100]\n  seeds: [1, 2]"
    )
    overlay.write_text(text)
    planned = larger.planned()
    larger.run()
    return larger, planned


def test_a_second_seed_and_a_share_train_what_is_missing_and_nothing_else(larger):
    _, planned = larger
    # two models, two shares, two seeds; the full share of the first seed was there
    assert planned["train_model"] == 2 * 2 * 2 - 2


def test_every_share_and_seed_is_evaluated(larger):
    study, _ = larger
    rows = read_rows(study.results / "evaluate/metrics.csv")
    found = {(row["model"], row["fraction_percent"], row["seed"]) for row in rows if row["model"] in MODELS}
    assert found == {
        (model, share, seed) for model in MODELS for share in ("40", "100") for seed in ("1", "2")
    }


def test_tables_show_the_range_of_the_seeds_and_figure_5_opens_the_report(larger):
    study, _ = larger
    for row in read_rows(study.results / "report/tables/table_1.csv"):
        if row["model"] in MODELS:
            assert row["seeds"] == "2"
            low, high = (float(row[f"auprc_percent_{end}"]) for end in ("lowest", "highest"))
            assert low <= float(row["auprc_percent"]) <= high and low < high
    assert (study.results / "report/figures/figure_5.png").read_bytes().startswith(b"\x89PNG")
    assert "Figure 5" in (study.results / "report/front.html").read_text()
    verdicts = {row["claim"]: row["verdict"] for row in read_rows(study.results / "evaluate/claims.csv")}
    assert verdicts["erasing-needs-data"] != ""
    assert "Nothing to be done" in study.run()
