"""The tiny study once more with its T1 scans under the name of FLAIR: all numbers are the same."""

import csv
import json
import shutil

import pytest
import yaml

from spatial_erasing.cohorts import read_rows

pytestmark = pytest.mark.long  # a second tiny study


def write_table(path, scans):
    """A table of scans whose column is called flair."""
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["subject", "scanner", "flair", "lesion"])
        rows.writerows(
            (scan["subject"], scan["scanner"], scan["path"], ";".join(json.loads(scan["lesion"])))
            for scan in scans
        )


def renamed_scans(study, flair):
    """The raw scans of a finished study for a new one: BraTS by other names, the rest in tables."""
    for path in (study.results / "phantom/brats").rglob("*.nii.gz"):
        copied = flair.folder / "brats" / path.relative_to(study.results / "phantom/brats")
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copied.with_name(copied.name.replace("_t1.nii", "_flair.nii")))
    for cohort in ("healthy", "atlas"):
        write_table(flair.folder / f"{cohort}.csv", read_rows(study.results / f"ingest/{cohort}.csv"))


def ask_for_flair(config):
    """What a user writes to train on FLAIR."""
    config["study"]["sequence"] = "flair"
    config["phantom"]["cohorts"] = {}
    config["ingest"]["cohorts"] = {
        "healthy": {"reader": "table", "path": "healthy.csv", "sequences": ["flair"], "batches": 2},
        "atlas": {"reader": "table", "path": "atlas.csv", "sequences": ["flair"], "batches": 1},
        "brats": {"reader": "brats", "path": "brats", "sequences": ["t1ce", "flair"], "batches": 1},
    }


def test_a_study_of_the_same_scans_called_flair_has_the_same_numbers(study, tmp_path):
    flair = study.copy(tmp_path, results=False)
    renamed_scans(study, flair)
    config = yaml.safe_load((flair.workflow / "tiny.yaml").read_text())
    ask_for_flair(config)
    (flair.workflow / "tiny.yaml").write_text(yaml.safe_dump(config))

    flair.run("--", "results")

    for name in ("metrics.csv", "subjects.csv", "intervals.csv", "comparisons.csv", "claims.csv"):
        called_flair = read_rows(flair.results / "evaluate" / name)
        called_t1 = read_rows(study.results / "evaluate" / name)
        again = [row | {"sequence": "t1"} if row.get("sequence") == "flair" else row for row in called_flair]
        in_order = sorted(map(str, again)), sorted(map(str, called_t1))
        if name in ("comparisons.csv", "claims.csv"):  # the paper saw its gain on T1ce after training on T1
            in_order = tuple([row for row in rows if "'t1ce-helps'" not in row] for rows in in_order)
        assert in_order[0] == in_order[1]
    tables = flair.results / "report/tables"
    assert "trained on FLAIR, tested on FLAIR and T1ce" in (tables / "table_2.md").read_text()
    assert "Bengs et al." not in (tables / "table_1.md").read_text()
    assert "healthy FLAIR scans" in (flair.results / "report/front.html").read_text()
    assert not list(flair.results.rglob("*-t1")) and not list(flair.results.rglob("t1.nii.gz"))
