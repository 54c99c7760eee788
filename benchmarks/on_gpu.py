r"""Measurements on a GPU in order of priority, within a limit of time; the next call continues from the rows.

    python benchmarks/on_gpu.py --minutes 9 --output DIR [--template FILE] [--real FOLDER] [--work FOLDER]
    cat DIR/rows.jsonl >> docs/gpu_rows.jsonl && python benchmarks/on_gpu.py --tables

Needs torch, numpy, scipy and pyyaml; a unit that needs another package names it and ends. The pieces
(--only): `check`, whether replayed steps equal launched ones; `step`, their rate; `peers`, other training
loops; `rehearsal`, models of the study at full size on synthetic brains; `real`, the same on real brains;
`choices` that the paper leaves open; `scoring`, time of scoring, evaluation and one new scan. Each unit runs
in its own process, so that a unit that fails or lasts too long ends alone. Rows are appended to
DIR/rows.jsonl; units with rows of this code and device, there or in docs/gpu_rows.jsonl, are not repeated.

`python benchmarks/rehearsal.py template FILE` writes the template where nilearn is installed. Synthetic
brains and checkpoints, gigabytes, stay in --work for the next call on the same machine. The FOLDER of real
brains has {cohort}/volumes.npz and {cohort}.csv of healthy and gliomas: results/preprocess/{cohort}/
volumes.npz and results/split/{cohort}.csv of config/real.yaml with `preprocess.grid_voxels: [64, 64, 64]`.
--tables rewrites the tables of docs/benchmarks.md. `--device cpu --tiny` tests units of each kind on a CPU.
"""

import argparse
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch

from gpu_units import PIECES, ROOT, LackingError, list_units
from measurements import DONE, Unit, add_row, describe_machine, is_done, read_measured, tables, with_tables

COMMITTED, PAGE = ROOT / "docs/gpu_rows.jsonl", ROOT / "docs/benchmarks.md"
FORK = get_context("fork")  # torch is imported once; this process itself never uses a GPU
KEPT_SECONDS = 10  # at the end of the time, to stop a unit and to write its last row
TINY_SIZE = {"grid": 16, "batch_size": 2, "volumes": 2, "seconds": 0.01}


def in_its_process(unit: Unit, add: Callable[..., None], threads: int) -> None:
    """Measure a unit in this process, its own, and add its rows."""
    os.setsid()  # its children end with it
    torch.set_num_threads(threads)
    ended = DONE
    try:
        for what, found in unit.measure():
            add(unit, what=what, found=found)
            print(f"{unit.name}: {what}: {found}", flush=True)
    except (ImportError, LackingError) as error:
        ended = f"lacks: {error}"
    except Exception as error:  # the next unit may work
        traceback.print_exc()
        ended = f"failed: {error}"
    add(unit, what="", found=ended)
    print(f"{unit.name}: {ended}", flush=True)


def measure_unit(unit: Unit, add: Callable[..., None], *, seconds: float, threads: int) -> None:
    """Measure a unit in a process of its own, at most for some seconds."""
    process = FORK.Process(target=in_its_process, args=(unit, add, threads))
    process.start()
    process.join(seconds)
    if process.is_alive():
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
        add(unit, what="", found="stopped: the time was over")
    elif process.exitcode:
        add(unit, what="", found=f"failed: its process ended with {process.exitcode}")


def write_tables() -> None:
    """Rewrite the tables of the page from the committed rows."""
    text = tables(list_units(parse_options(["--output", "."])), read_measured([COMMITTED]))
    PAGE.write_text(with_tables(PAGE.read_text(), text, name=COMMITTED.name))


def parse_options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options, with the sizes that all units share."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--template", type=Path)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--work", type=Path, help="default: DIR/work")
    parser.add_argument("--only", nargs="+", choices=PIECES, default=list(PIECES))
    parser.add_argument("--device", default="auto", choices=["auto", "cpu"])
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--tables", action="store_true")
    options = parser.parse_args(arguments)
    if options.output is None and not options.tables:
        parser.error("give --output DIR, or --tables")
    sizes = TINY_SIZE if options.tiny else {"grid": 64, "batch_size": 32, "volumes": 64, "seconds": 5}
    options.work = options.work or (options.output or Path()) / "work"
    for name, value in (sizes | {"launched": False, "kernels": False}).items():
        setattr(options, name, value)
    options.size = {"device": options.device, "grid": options.grid, "batch_size": options.batch_size}
    options.size["steps"] = 4 if options.tiny else 20
    options.test_volumes = 6 if options.tiny else 385
    options.threads = 1 if options.tiny else min(8, os.cpu_count() or 1)
    return options


def main() -> None:
    """Measure until the time is over, or write the tables."""
    options, began = parse_options(), time.monotonic()
    if options.tables:
        write_tables()
        return
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    options.output.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(1, mp_context=FORK) as pool:
        machine = pool.submit(describe_machine, options.device).result()
    if machine["kind"] != "cuda" and options.device != "cpu":
        sys.exit("There is no GPU here. A try of the command: --device cpu --tiny")
    path = options.output / "rows.jsonl"
    add = partial(add_row, path, machine=machine)
    for unit in list_units(options):
        wanted = unit.name.partition("/")[0] in options.only
        if not wanted or is_done(unit, read_measured([COMMITTED, path]), device=machine["device"]):
            continue
        left = 60 * options.minutes - KEPT_SECONDS - (time.monotonic() - began)
        if left < (0 if options.tiny else unit.seconds):
            print(f"{unit.name}: not begun, the time is over", flush=True)
            continue
        seconds = left if options.tiny else min(left, 2 * unit.seconds)  # a hanging unit costs itself alone
        measure_unit(unit, add, seconds=seconds, threads=options.threads)


if __name__ == "__main__":
    main()
