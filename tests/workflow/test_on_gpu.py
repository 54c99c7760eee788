"""The command for a window on a GPU, tried on a CPU, and the tables that it makes of its rows."""

import importlib
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MACHINE = {"kind": "cuda", "device": "H100", "driver": "570", "torch": "2.11", "commit": "abc"}


@pytest.fixture
def measurements(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("measurements")


@pytest.fixture
def on_gpu(measurements):
    return importlib.import_module("on_gpu")


@pytest.fixture
def gpu_units(measurements):
    return importlib.import_module("gpu_units")


def units_of(measurements, **measured):
    return [measurements.Unit("A piece", name, 60, measure) for name, measure in measured.items()]


@pytest.mark.long
def test_every_piece_runs_on_a_cpu_and_is_not_repeated(tmp_path, gpu_units, measurements):
    command = [sys.executable, ROOT / "benchmarks/on_gpu.py", "--device", "cpu", "--tiny"]
    command += ["--minutes", "30", "--output", tmp_path]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = partial(subprocess.run, command, check=True, env=environment, stdout=subprocess.PIPE, text=True)
    printed = run().stdout
    rows = measurements.read_measured([tmp_path / "rows.jsonl"])

    ended = {row["unit"]: row["found"] for row in rows if not row["what"]}
    assert ended == dict.fromkeys(gpu_units.TINY_UNITS, "done"), printed
    assert {name.partition("/")[0] for name in ended} == set(gpu_units.PIECES)
    assert not [row for row in rows if "failed" in row["found"]]
    keys = {"unit", "what", "found", "code", "kind", "device", "driver", "torch", "commit", "date"}
    assert all(set(row) == keys and row["kind"] == "cpu" for row in rows)
    assert not run().stdout


def test_without_a_gpu_the_command_says_how_to_try_it(tmp_path):
    command = [sys.executable, ROOT / "benchmarks/on_gpu.py", "--output", tmp_path]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "There is no GPU here." in done.stderr and "--tiny" in done.stderr


def test_the_command_starts_where_only_its_few_packages_are_installed():
    missing = ("jsonschema", "nibabel", "SimpleITK", "pandas", "sklearn", "nilearn", "psutil", "snakemake")
    code = "import sys; sys.modules |= dict.fromkeys(sys.argv[1:]); import on_gpu"
    path = os.pathsep.join((str(ROOT), str(ROOT / "benchmarks")))
    subprocess.run([sys.executable, "-c", code, *missing], env=os.environ | {"PYTHONPATH": path}, check=True)


def broken():
    yield "first", "1"
    raise RuntimeError("made up")


def lacking():
    yield from ()
    raise ImportError("No module named 'monai'")


def endless():
    """Even its children end with it."""
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "of a unit"])
    yield "first", "1"
    time.sleep(600)


def crashed():
    yield "first", "1"
    os._exit(3)


@pytest.mark.parametrize(
    "measure, found",
    [
        (broken, "failed: made up"),
        (lacking, "lacks: No module named 'monai'"),
        (endless, "stopped: the time was over"),
        (crashed, "failed: its process ended with 3"),
    ],
)
def test_a_unit_that_does_not_end_well_says_so_and_is_tried_again(
    tmp_path, on_gpu, measurements, measure, found
):
    path, (unit,) = tmp_path / "rows.jsonl", units_of(measurements, unit=measure)
    add = partial(measurements.add_row, path, machine=MACHINE)
    on_gpu.measure_unit(unit, add, seconds=20, threads=1)
    *rows, last = measurements.read_measured([path])
    assert (last["what"], last["found"]) == ("", found)
    assert [row["what"] for row in rows] == ([] if measure is lacking else ["first"])
    assert not measurements.is_done(unit, [*rows, last], device="H100")
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "of a unit" not in listed


def test_rows_go_on_after_a_line_that_was_cut_short(tmp_path, measurements):
    path, (unit,) = tmp_path / "rows.jsonl", units_of(measurements, unit=broken)
    measurements.add_row(path, unit, machine=MACHINE, what="first", found="1")
    path.write_text(path.read_text() + '{"unit": "un')
    assert len(measurements.read_measured([path, tmp_path / "missing.jsonl"])) == 1
    measurements.add_row(path, unit, machine=MACHINE, what="", found="done")
    found = measurements.read_measured([path])
    assert [row["found"] for row in found] == ["1", "done"]
    assert measurements.is_done(unit, found, device="H100")
    assert not measurements.is_done(unit, found, device="H200")


def test_tables_have_the_newest_rows_of_this_code_from_gpus_alone(measurements):
    first, second, third = units = units_of(measurements, first=broken, second=broken, third=broken)

    def rows(unit, found, **other):
        row = {"unit": unit.name, "code": unit.code, "date": "2026-11-29"} | MACHINE | other
        return [row | {"what": "rate", "found": found}, row | {"what": "", "found": "done"}]

    text = measurements.tables(
        units,
        [
            *rows(first, "old"),
            *rows(first, "new"),
            *rows(first, "other card", device="H200"),
            *rows(second, "other code", code="0"),
            *rows(third, "no GPU", kind="cpu"),
        ],
    )
    assert "| first | rate | new | H100, torch 2.11, driver 570, 2026-11-29, `abc` |" in text
    assert "other card" in text and text.count("| rate |") == 2
    assert "**Not measured** on this code: second, third." in text
    assert not {"old", "other code", "no GPU"} & {cell.strip() for cell in text.split("|")}
    assert measurements.tables(units, []) == "**A piece**\n\n**Not measured** on this code.\n"


def test_tables_replace_what_is_between_their_marks_and_nothing_else(measurements):
    marks = measurements.FIRST_MARK.format(name="rows"), measurements.LAST_MARK
    page = f"before\n{marks[0]}\nold\n{marks[1]}\nafter\n"
    once = measurements.with_tables(page, "new", name="rows")
    assert once == f"before\n{marks[0]}\n\nnew\n{marks[1]}\nafter\n"
    assert measurements.with_tables(once, "new", name="rows") == once
    with pytest.raises(ValueError, match="lacks the line"):
        measurements.with_tables("no marks", "new", name="rows")


def test_the_page_has_the_tables_of_the_committed_rows(on_gpu, monkeypatch, tmp_path):
    page = on_gpu.PAGE.read_text()
    monkeypatch.setattr(on_gpu, "PAGE", tmp_path / "page.md")
    on_gpu.PAGE.write_text(page)
    on_gpu.write_tables()
    assert on_gpu.PAGE.read_text() == page, "run: python benchmarks/on_gpu.py --tables"


def test_all_units_are_named_once_and_fit_a_window(on_gpu, gpu_units):
    units = on_gpu.list_units(on_gpu.parse_options(["--output", "."]))
    names = [unit.name for unit in units]
    assert len(set(names)) == len(names) and set(names) >= gpu_units.TINY_UNITS
    assert all(unit.seconds <= 9 * 60 - on_gpu.KEPT_SECONDS for unit in units)
    assert list(dict.fromkeys(unit.piece for unit in units)) == list(gpu_units.PIECES.values())
