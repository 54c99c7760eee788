"""The small rehearsal in pieces: kills cost nothing, and the page names what is missing."""

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import stats

from spatial_erasing.cohorts import read_rows
from spatial_erasing.evaluate.bootstrap import IntervalRule, Sizes
from spatial_erasing.evaluate.claims import CLAIMS
from spatial_erasing.evaluate.counts import SubjectCounts, load_counts, save_counts
from spatial_erasing.evaluate.curves import average_precision
from spatial_erasing.evaluate.resamples import Quantity, Resampled

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks/small_rehearsal.py"
MODEL = "2d-patch-noise"


@pytest.fixture
def small(monkeypatch):
    """The module, which lies outside of the library."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    return importlib.import_module("small_rehearsal")


@pytest.fixture
def overlay(tmp_path):
    config = yaml.safe_load((ROOT / "tests/workflow/tiny.yaml").read_text())
    config["phantom"] |= {"straight_to_grid": True, "minimum_lesion_ml": 10.0}
    config["preprocess"] |= {"padded_grid_voxels": [158, 191, 163]}
    config["preprocess"]["standardise"] = {"t1": "range", "t1ce": "range"}
    config["study"] |= {"seeds": [1, 2], "fractions_percent": [50, 100]}
    config["train"]["optimisation"] |= {"maximum_steps": {"2d": 100, "3d": 60}}
    path = tmp_path / "overlay.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def command(overlay, rows, *words):
    return [
        sys.executable,
        str(SCRIPT),
        "--config",
        str(overlay),
        "--rows",
        str(rows),
        "--workers",
        "1",
        *words,
    ]


def content(folder):
    """Every file below a folder, histories without the time that a training took."""
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {
        name: [row | {"seconds": ""} for row in read_rows(path)]
        if path.name == "history.csv"
        else path.read_bytes()
        for name, path in files.items()
    }


def check_auprc_of_both_seeds(text, folder):
    """The page has mean, lowest and highest seed of the exact AUPRC."""
    (line,) = [line for line in text.splitlines() if line.startswith("| 2D-Patch-n | 100 | 2 | ")]
    for cell, cohort in zip(line.split(" | ")[3:], ("brats", "atlas"), strict=True):
        paths = folder.glob(f"{MODEL}/fraction-100/**/{cohort}-t1/metrics.csv")
        rows = [row for path in paths for row in read_rows(path) if row["metric"] == "average_precision"]
        exact = [100 * float(row["value"]) for row in rows]
        assert cell.startswith(f"{np.mean(exact):.1f} ({min(exact):.1f} to {max(exact):.1f}) [")


@pytest.mark.long
def test_a_killed_piece_goes_on_and_leaves_the_rows_of_an_undisturbed_one(tmp_path, overlay):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    work, killed, whole = tmp_path / "work", tmp_path / "killed", tmp_path / "whole"
    run = command(overlay, killed, "run", MODEL, "--work", str(work))
    process = subprocess.Popen(run, env=environment, start_new_session=True)
    while not list(work.glob("checkpoints/*/*/seed-2/*/latest.pt")):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert [path.name for path in killed.glob("*/*/seed-*")] == ["seed-1"]

    printed = subprocess.run(run, env=environment, check=True, capture_output=True, text=True).stdout
    assert printed.split("\n")[0] == f"{MODEL}/fraction-100/seed-2 is done, 1 of 1"
    again = command(overlay, whole, "run", MODEL, "--work", str(work))
    subprocess.run(again, env=environment, check=True)
    assert content(killed) == content(whole)
    assert not list(work.rglob("*.pt")), "checkpoints are not needed any more"
    history = read_rows(killed / MODEL / "fraction-100/seed-2/history.csv")
    assert [row["step"] for row in history] == [str(step) for step in range(20, 101, 20)]

    half = [f"{MODEL}-50-percent", "--seeds", "1", "--work", str(work)]
    subprocess.run(command(overlay, killed, "run", *half), env=environment, check=True)
    page = tmp_path / "page.md"
    subprocess.run(command(overlay, killed, "page", "--page", str(page)), env=environment, check=True)
    text = page.read_text()
    begun, missing = next(line for line in text.splitlines() if "Missing" in line).split("**Missing")
    assert f"`{MODEL}-50-percent` (1 of 2 seeds)" in begun and "`3d-cube-noise`" in missing
    assert f"`{MODEL}`" not in begun + missing
    assert all(claim.text in text for claim in CLAIMS)
    assert "| 2D-Patch-n | 50 | 1 | " in text
    check_auprc_of_both_seeds(text, killed)


def test_every_network_is_in_one_piece_and_the_four_of_the_study_come_first(small):
    config = small.overlaid(small.CONFIGS)
    pieces, study = small.pieces(config), config["study"]
    networks = [name for name, entry in config["models"].items() if "network" in entry]
    shares = [f"{name}-{percent}-percent" for percent in (10, 20, 60) for name in study["models"]]
    first = [*study["baselines"], *study["models"], *shares]
    assert list(pieces)[: len(first)] == first
    assert sorted(pieces) == sorted([*networks, *study["baselines"], *shares])
    trainings = [1] * len(study["baselines"]) + [5] * 4 + [3] * (len(pieces) - len(study["baselines"]) - 4)
    assert [len(jobs) for jobs in pieces.values()] == trainings
    assert {(job.method, job.fraction_percent) for job in pieces["3d-none-20-percent"]} == {("3d-none", 20)}


def test_a_checkpoint_is_resumed_only_by_the_code_of_its_own_network_erasing_and_fill(small):
    config = small.overlaid(small.CONFIGS)
    methods = small.list_methods(config)
    names = ("3d-none", "3d-cube-zero", "3d-cube-noise", "3d-denoising")
    assert len({small.code_of(methods[name], config) for name in names}) == len(names)


def test_coarser_counts_keep_the_dice_and_nearly_the_auprc(small, tmp_path):
    rng = np.random.default_rng(1)
    owner = np.repeat(np.arange(6, dtype=np.int32), 3000)
    scores = np.sort(rng.gamma(2, 0.05, size=(6, 3000)).astype(np.float16), axis=1)
    lesion = (rng.random((6, 3000)) < scores.astype(float)).astype(np.uint32).ravel()
    columns = (owner, scores.view(np.uint16).ravel(), lesion, 1 - lesion)
    counts, threshold = SubjectCounts(tuple("abcdef"), *columns), 0.1234
    save_counts(tmp_path / "counts.npz", counts, threshold=threshold)
    small.coarser(tmp_path / "counts.npz")
    found, kept = load_counts(tmp_path / "counts.npz")
    assert kept == threshold and len(found.owner) < len(owner) / 10
    np.testing.assert_array_equal(found.at_threshold(threshold), counts.at_threshold(threshold))
    expected = average_precision(counts.pooled())
    assert average_precision(found.pooled()) == pytest.approx(expected, abs=0.005)


def test_a_gain_has_an_interval_over_subjects_and_one_over_trainings(small):
    page = importlib.import_module("small_rehearsal_page")
    rng = np.random.default_rng(1)
    erased, plain = (Quantity(name, 100, "brats", "t1", "average_precision") for name in ("a", "b"))
    seeds = {erased: [0.64, 0.66, 0.63], plain: [0.60, 0.61, 0.62]}
    samples = {erased: 0.64 + rng.normal(0, 0.01, 501), plain: 0.6 + rng.normal(0, 0.01, 501)}
    found = {key: Resampled(samples[key], Sizes([12]), tuple(seeds[key])) for key in seeds}
    rule = IntervalRule(confidence_percent=90, minimum_subjects=10)

    differences = np.subtract(seeds[erased], seeds[plain])
    around = stats.t.ppf(0.95, 2) * differences.std(ddof=1) / np.sqrt(3)
    middle = differences.mean()
    lower, upper = np.percentile((samples[erased] - samples[plain])[1:], [5, 95])
    assert list(page.gain(found, seeds, erased, plain, rule)) == [
        f"{100 * (samples[erased] - samples[plain])[0]:+.1f}",
        f"[{100 * lower:+.1f}, {100 * upper:+.1f}]",
        f"[{100 * (middle - around):+.1f}, {100 * (middle + around):+.1f}]",
    ]
    assert [*page.gain(found, seeds | {plain: [0.6]}, erased, plain, rule)][-1] == "–"


def test_an_unknown_piece_is_refused_with_the_names_of_all(overlay, tmp_path):
    words = command(overlay, tmp_path, "run", "4d-none", "--work", str(tmp_path))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    said = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert said.returncode == 1 and "no piece is called 4d-none. The pieces: " in said.stderr


@pytest.mark.long
def test_the_page_is_that_of_the_committed_rows(small, tmp_path):
    words = [sys.executable, str(SCRIPT), "--workers", "2", "page", "--page", str(tmp_path / "page.md")]
    subprocess.run(words, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    assert (tmp_path / "page.md").read_text() == small.PAGE.read_text(), (
        "run: python benchmarks/small_rehearsal.py page"
    )
