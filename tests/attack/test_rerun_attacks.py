"""Attacks on "nothing runs again without a reason": edits of this software, and what each runs again."""

import os
import shutil
from functools import cache
from pathlib import Path

import pytest

from spatial_erasing.jobs import code_reach, provenance
from spatial_erasing.jobs.code_reach import read_module
from spatial_erasing.jobs.provenance import code_fingerprint

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path.stem for path in ROOT.glob("workflow/scripts/*.py"))

# what the jobs of 3d-cube-noise find by its entry, below spatial_erasing/
SCORED = ["collect_examples", "diagnose_dataset", "evaluate_dataset", "find_threshold", "return_to_scan"]
KINDS = {name: ["score/scores/absolute.py"] for name in SCORED} | {
    "train_model": ["train/networks/vae.py", "train/erasing/cube.py", "train/fills/noise.py"],
    "reconstruct_scans": ["train/networks/vae.py"],
    "plot_figure_2": ["train/networks/vae.py"],
    "plot_figure_3": ["train/erasing/cube.py", "train/fills/noise.py"],
}
# case: file below the repository, text in it, text in its place, scripts whose fingerprint moves
EDITS = {
    "a line of a log": (
        "spatial_erasing/jobs/locks.py",
        "all of %d GPUs are held",
        "every one of %d is held",
        [],
    ),
    "how long a GPU is waited for": (
        "spatial_erasing/jobs/locks.py",
        "poll_seconds: float = 1.0",
        "poll_seconds=2.0",
        [],
    ),
    "how often a file is flushed": (
        "spatial_erasing/jobs/tensorboard.py",
        "flush_secs=1",
        "flush_secs=2",
        [],
    ),
    "how often a killed worker is tried": (
        "spatial_erasing/jobs/parallel.py",
        "ATTEMPTS_ALONE = 3",
        "ATTEMPTS_ALONE = 2",
        [],
    ),
    "text of an error": ("spatial_erasing/cohorts.py", "is not one of the", "is none of the", []),
    "text of an error that a function makes": (
        "spatial_erasing/paths.py",
        "it is empty, 0 bytes",
        "it has 0 bytes",
        [],
    ),
    "docstring below a constant": ("spatial_erasing/models.py", '"""', '"""Well: ', []),
    "function that nothing uses": (
        "spatial_erasing/train/network.py",
        "def parameter_count(",
        "def unused():\n    return 1\n\n\ndef parameter_count(",
        [],
    ),
    "comment in a script": (
        "workflow/scripts/train_model.py",
        "log_to(snakemake.log[0])",
        "log_to(snakemake.log[0])  # a comment",
        [],
    ),
    "line of a script": (
        "workflow/scripts/train_model.py",
        "log_to(snakemake.log[0])",
        "log_to(snakemake.log[0])\nassert params",
        ["train_model"],
    ),
    "loss": (
        "spatial_erasing/train/network.py",
        ".abs()",
        ".square()",
        ["bundle", "plot_figure_2", "reconstruct_scans", "train_model"],
    ),
    "erasing of a kind": (
        "spatial_erasing/train/erasing/cube.py",
        "CUBES = 1",
        "CUBES = 2",
        ["plot_figure_3", "train_model"],
    ),
    "erasing of another kind": ("spatial_erasing/train/erasing/half.py", "// 2", "// 3", []),
    "score of a kind": ("spatial_erasing/score/scores/absolute.py", "np.abs", "np.square", SCORED),
    "score of another kind": ("spatial_erasing/score/scores/signed.py", "np.maximum", "np.fmax", []),
    "network of another kind": (
        "spatial_erasing/train/networks/autoencoder.py",
        "SETTINGS = CODE | {",
        "SETTINGS = CODE | {'x': {}, ",
        [],
    ),
    "layer": (
        "spatial_erasing/train/convolutions.py",
        "nn.LeakyReLU, 0.3",
        "nn.LeakyReLU, 0.2",
        ["plot_figure_2", "reconstruct_scans", "train_model"],
    ),
    "skull strip": (
        "spatial_erasing/preprocess/zero.py",
        "RINGING_SHARE = 0.01",
        "RINGING_SHARE = 0.02",
        ["bundle", "plant_lesions", "prepare_brains"],
    ),
    "function of one script": (
        "spatial_erasing/cohorts.py",
        "return names.index(subject)",
        "return names.index(subject) + 0",
        ["return_to_scan"],
    ),
    "words of a claim": (
        "spatial_erasing/evaluate/claims.py",
        "outperforms",
        "beats",
        ["judge_claims", "write_claims", "write_diagnostics", "write_front_page"],
    ),
}


@cache
def fingerprints(root):
    return {
        name: code_fingerprint(
            root / f"workflow/scripts/{name}.py",
            kinds=[root / "spatial_erasing" / kind for kind in KINDS.get(name, ())],
        )
        for name in SCRIPTS
    }


@pytest.fixture(autouse=True, scope="module")
def _every_text_is_read_once():
    """Most files are the same from case to case."""
    known = {}

    def read(path, *, key):
        content = (key, path.read_bytes())
        if content not in known:
            known[content] = read_module(path, key=key)
            known[content].statement = cache(known[content].statement)
        return known[content]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code_reach, "read_module", read)
        yield


@pytest.mark.parametrize("path, old, new, moved", EDITS.values(), ids=EDITS)
def test_an_edit_moves_the_fingerprints_of_what_it_can_change(tmp_path, monkeypatch, path, old, new, moved):
    for folder in ("spatial_erasing", "spatial_erasing_phantoms", "workflow/scripts"):
        shutil.copytree(ROOT / folder, tmp_path / folder, copy_function=os.symlink)
    text = (ROOT / path).read_text()
    assert old in text
    (tmp_path / path).unlink()
    (tmp_path / path).write_text(text.replace(old, new, 1))
    expected = fingerprints(ROOT)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    after = fingerprints(tmp_path)
    assert sorted(name for name in SCRIPTS if after[name] != expected[name]) == sorted(moved)
