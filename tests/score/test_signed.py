import numpy as np
import pandas as pd
import pytest
from paper_study import CONFIG, METHODS

from spatial_erasing.cohorts import Split
from spatial_erasing.models import list_methods
from spatial_erasing.report.tables import table_1
from spatial_erasing.run import evaluate, find_threshold
from spatial_erasing.score.maps import Scoring, make_score, score_maps

POST_PROCESSING = {"erosion_iterations": 0, "median_size_voxels": 1}
SEARCH = {"iterations": 10, "lower": 0.0, "upper": 1.0}


@pytest.fixture
def pair():
    rng = np.random.default_rng(3)
    return rng.random((2, 5, 6, 7)).astype(np.float16)


def raw(pair, **settings):
    score = make_score({"kind": "signed", "title": "any"} | settings)
    return score.score_map(*pair, np.ones(pair[0].shape, dtype=bool))


def test_dark_and_bright_add_up_to_the_absolute_residual_and_never_overlap(pair):
    dark, bright = raw(pair, finds="dark"), raw(pair, finds="bright")
    np.testing.assert_array_equal(dark + bright, np.abs(pair[0].astype("f4") - pair[1].astype("f4")))
    assert not (dark * bright).any() and dark.any() and bright.any()


def test_dark_is_what_clipping_leaves_of_the_difference(pair):
    expected = np.clip(pair[1].astype("f8") - pair[0].astype("f8"), 0, None)
    np.testing.assert_allclose(raw(pair, finds="dark"), expected, atol=1e-7)
    np.testing.assert_array_equal(raw(pair[::-1], finds="bright"), raw(pair, finds="dark"))


def dark_lesions(seed):
    """Scans that are brighter than their reconstruction by chance, and darker in the lesion."""
    rng = np.random.default_rng(seed)
    stored = np.full((4, 8, 8, 8), 0.5, dtype=np.float16)
    lesion = rng.random(stored.shape) < 0.05
    scans = (stored + 0.4 * (rng.random(stored.shape) < 0.2)).astype(np.float16)
    scans[lesion] = 0.2
    subjects = [("own", f"{seed}-{place}") for place in range(4)]
    brain = np.ones(stored.shape, dtype=bool)
    return Split(subjects, scans, brain, lesion, lesion.any(axis=(1, 2))), stored


def test_both_scores_stand_in_one_table_under_one_protocol():
    names = ["3d-none", "3d-none@dark"]
    methods = list_methods(CONFIG | {"study": CONFIG["study"] | {"models": names}})
    (validation, of_validation), (test, of_test) = dark_lesions(1), dark_lesions(2)
    rows = []
    for name in names:
        scoring = Scoring(CONFIG["scores"][methods[name].score], POST_PROCESSING)
        threshold = find_threshold(validation, of_validation, scoring=scoring, search=SEARCH)
        run = {"method": name, "percent": 100, "seed": 1, "cohort": "own", "sequence": "t1"}
        rows += evaluate(test, of_test, scoring=scoring, names=run, threshold=threshold).metrics
    chosen = {name: methods[name] for name in names}
    table = table_1(pd.DataFrame(rows), methods=chosen, sequence="t1", cohorts={"own": None})["own"]
    assert table["name"].tolist() == ["3D-None", "3D-None, dark residual"]
    assert table.loc["3d-none@dark", "auprc_percent"] == pytest.approx(100)
    assert table.loc["3d-none", "auprc_percent"] < 40
    assert "3d-none@dark" not in METHODS  # only where a study names it


def test_the_entry_of_the_config_finds_dark_lesions():
    scans, stored = dark_lesions(5)
    scoring = Scoring(CONFIG["scores"]["dark"], POST_PROCESSING)
    maps = np.stack(list(score_maps(scans, stored, scoring)))
    np.testing.assert_array_equal(maps > 0, scans.lesion)
