import html
import re

import pandas as pd
import pytest
from paper_study import methods

from spatial_erasing.report.claims_page import PrintedClaim
from spatial_erasing.report.front_page import CohortCounts, count_subjects, front_page
from spatial_erasing.report.tables import table_1

STUDY = {
    "title": "Own <study>",
    "date": "2026-01-02",
    "code": "abc123",
    "grid": "64 × 64 × 64",
    "figure": "Figure 4",
}
MODELS = ("2d-none", "3d-none", "baseline-mean-healthy")


def metrics_of(auprc):
    """metrics.csv of one seed and two cohorts; AUPRC by model."""
    rows = [
        (model, 100, 1, cohort, "t1", metric, value)
        for model, average_precision in auprc.items()
        for cohort in ("brats", "own")
        for metric, value in {
            "dice_dataset": 0.3,
            "dice_subject_mean": 0.25,
            "dice_subject_std": 0.1,
            "average_precision": average_precision,
            "prevalence": 0.01,
            "subjects": 12,
            "subjects_without_lesion": 0,
        }.items()
    ]
    columns = ["model", "fraction_percent", "seed", "cohort", "sequence", "metric", "value"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def write(tmp_path):
    picture = tmp_path / "figure_4.png"
    picture.write_bytes(b"\x89PNG")

    def write(auprc, networks=2):
        table = table_1(
            metrics_of(auprc), methods=methods(MODELS), sequence="t1", cohorts={"brats": "brats", "own": None}
        )
        claims = [
            PrintedClaim("3-D <wins> (section 4)", "holds", {"Mean difference": "+2.31 [+0.94, +3.70]"}, []),
            PrintedClaim("never run (section 3)", "not run", {"Mean difference": "–"}, []),
        ]
        counts = [CohortCounts("brats", {"test": 12, "validation": 5}, failed=1)]
        return front_page(table, claims, counts=counts, figure=picture, study=STUDY | {"networks": networks})

    return write


def test_subjects_are_counted_by_split_and_failures_apart():
    subjects = [
        {"cohort": "brats", "split": "test", "status": "done"},
        {"cohort": "own", "split": "test", "status": "done"},
        {"cohort": "brats", "split": "validation", "status": "done"},
        {"cohort": "brats", "split": "test", "status": "failed"},
    ]
    brats, own = CohortCounts("brats", {"test": 1, "validation": 1}, 1), CohortCounts("own", {"test": 1}, 0)
    assert count_subjects(subjects) == [brats, own]


def test_the_row_with_the_highest_auprc_is_marked_and_named(write):
    page = write({"2d-none": 0.21, "3d-none": 0.34, "baseline-mean-healthy": 0.30})
    rows = re.findall(r"<tr[^>]*><td>(.*?)</td>(.*?)</tr>", page, re.DOTALL)
    marked = {name for name, cells in rows if "best-row" in cells}
    assert marked == {"3D-None"}
    assert "3D-None 34.0&nbsp;%" in page and "without a network: 30.0" in page
    assert "1 of 1 hold" in page and "Not run: 1" in page
    assert "12 test" in page and "(1 failed)" in page


def test_networks_are_counted_once_and_rows_with_their_scores_apart(write):
    page = " ".join(write({"2d-none": 0.21, "3d-none": 0.34, "baseline-mean-healthy": 0.30}).split())
    assert "2 networks</p> <p>1 seed each; 1 row without a network" in page
    scored = write({"2d-none": 0.21, "3d-none": 0.34, "baseline-mean-healthy": 0.30}, networks=1)
    assert "1 seed each, in 2 rows with their scores; 1 row without" in " ".join(scored.split())


def test_a_baseline_that_wins_is_said_in_the_first_lines(write):
    page = write({"2d-none": 0.21, "3d-none": 0.34, "baseline-mean-healthy": 0.40})
    assert re.search(r"without a network,\s+reaches 40\.0", page)


def test_text_from_config_and_claims_is_shown_and_not_run(write):
    page = write({"2d-none": 0.21, "3d-none": 0.34, "baseline-mean-healthy": 0.30})
    assert "<study>" not in page and html.escape("Own <study>") in page
    assert "<wins>" not in page and html.escape("3-D <wins>") in page


def test_a_cohort_without_any_auprc_has_a_page_too(write):
    """All lesions of a test set may vanish on the grid: every AUPRC is NaN then."""
    nan = float("nan")
    page = write({"2d-none": nan, "3d-none": nan, "baseline-mean-healthy": nan})
    assert page.count("None: no lesion of its test subjects is left on the grid of 64 × 64 × 64 voxels") == 2
    assert not re.search(r"\bnan\b", page, re.IGNORECASE)
    page = write({"2d-none": nan, "3d-none": 0.34, "baseline-mean-healthy": nan})
    assert "3D-None 34.0&nbsp;%" in page and "without a network:" not in page
