"""The study on brains made straight at the networks' grid, by the rules and in pieces without them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from spatial_erasing.cohorts import read_rows

ROOT = Path(__file__).parents[2]
RUN = "evaluate/3d-cube-noise/fraction-100/seed-1"
STRAIGHT = {
    "phantom": {"straight_to_grid": True, "minimum_lesion_ml": 10.0},
    "preprocess": {
        "padded_grid_voxels": [158, 191, 163],
        "standardise": {"t1": "range", "t1ce": "range"},
    },
}


@pytest.fixture(autouse=True)
def _library_of_this_checkout(monkeypatch):
    """For benchmarks, which otherwise run with the library that is installed."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_a_piece_has_the_numbers_of_the_rules_byte_by_byte(study, tmp_path):
    rehearsal = study.copy(tmp_path, results=False)
    overlay = rehearsal.workflow / "tiny.yaml"
    config = yaml.safe_load(overlay.read_text())
    for section, values in STRAIGHT.items():
        config[section] |= values
    config["study"]["fractions_percent"] = [50, 100]
    overlay.write_text(yaml.safe_dump(config))
    rehearsal.run("--", f"results/{RUN}/brats-t1/metrics.csv", f"results/{RUN}/atlas-t1/metrics.csv")

    script = [sys.executable, str(ROOT / "benchmarks/rehearsal.py")]
    template, piece = tmp_path / "template.npz", tmp_path / "piece"
    subprocess.run([*script, "template", str(template)], check=True)
    command = [*script, "piece", str(piece), "--template", str(template), "--models", "3d-cube-noise"]
    subprocess.run([*command, "--shares", "100", "--config", str(overlay)], check=True)

    for dataset in ("brats-t1", "atlas-t1"):
        for name in ("metrics.csv", "subjects.csv", "counts.npz", "slices.npz"):
            ours = rehearsal.results / RUN / dataset / name
            assert (piece / "results" / RUN / dataset / name).read_bytes() == ours.read_bytes(), ours
    assert (piece / "results" / RUN / "brats-t1ce/metrics.csv").exists()  # Table 2
    assert len(list(piece.glob("results/train/*/*/*"))) == 1  # one share was asked for
    left = sum(path.stat().st_size for path in piece.rglob("*") if path.is_file())
    assert left < 1e6 and not list(piece.rglob("*.pt"))


def test_an_open_choice_is_answered_from_validation_subjects_alone(tmp_path):
    template, table = tmp_path / "template.npz", tmp_path / "choices.csv"
    subprocess.run(
        [sys.executable, str(ROOT / "benchmarks/rehearsal.py"), "template", str(template)], check=True
    )
    overlay = tmp_path / "overlay.yaml"
    config = yaml.safe_load((ROOT / "tests/workflow/tiny.yaml").read_text())
    for section, values in STRAIGHT.items():
        config[section] |= values
    overlay.write_text(yaml.safe_dump(config))
    command = [sys.executable, str(ROOT / "benchmarks/choices.py"), "norm", "--template", str(template)]
    command += ["--output", str(table), "--work", str(tmp_path / "work"), "--config", str(overlay)]
    command += ["--models", "2d-patch-noise", "--seeds", "1", "2"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    rows = read_rows(table)
    assert [(row["value"], row["seed"]) for row in rows] == [
        (norm, seed) for norm in ("none", "batch", "group") for seed in ("1", "2")
    ]
    assert len({row["validation_l1"] for row in rows}) == len(rows)
    assert all(0 <= float(row["brats_auprc_percent"]) <= 100 for row in rows)
    (line,) = [line for line in printed.splitlines() if line.startswith("| norm | group")]
    group = [float(row["validation_l1"]) for row in rows if row["value"] == "group"]
    assert f"{sum(group) / 2:.4g}" in line

    # other test subjects, the same answer: nobody of the test split is looked at
    for cohort in ("brats", "atlas"):
        volumes = tmp_path / "work" / cohort / "volumes.npz"
        places = {row["subject"]: row["split"] for row in read_rows(tmp_path / "work" / f"{cohort}.csv")}
        with np.load(volumes) as kept:
            arrays = dict(kept)
        is_test = np.array([places[name] == "test" for name in arrays["subject"].tolist()])
        assert is_test.any()
        arrays["t1"][is_test], arrays["lesion"][is_test] = 0.5, True
        np.savez(volumes, **arrays)
    table.unlink()
    subprocess.run(command, check=True, capture_output=True)
    assert read_rows(table) == rows
