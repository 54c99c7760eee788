"""Measurements as rows of a file, and the tables of docs/benchmarks.md that are made from them.

A row is one line of JSON: its unit, the quantity (`what`), the result (`found`), and the machine and code
that measured it. A unit's last row has no quantity, and its result says how the unit ended. Rows of other
training code are kept in the file and count as not measured.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from spatial_erasing import registry
from spatial_erasing.jobs.provenance import code_version, rule_fingerprint
from spatial_erasing.train.device import choose_device, device_name

DONE = "done"
FIRST_MARK = "<!-- by python benchmarks/on_gpu.py --tables, from rows of {name}: not to be edited -->"
LAST_MARK = "<!-- end of the measured tables -->"


@dataclass(frozen=True)
class Unit:
    """One measurement that runs in a process of its own.

    Args:
        piece: heading of its table.
        name: unique.
        seconds: upper limit on a GPU; the unit is not begun if less time is left.
        measure: yields pairs of a quantity and its result, as text.
        rule: rule whose code is measured.
    """

    piece: str
    name: str
    seconds: int
    measure: Callable[[], Iterable[tuple[str, str]]]
    rule: str = "train_model"

    @property
    def code(self) -> str:
        """Fingerprint of the measured code."""
        kinds = [registry.NETWORKS.file("vae"), registry.ERASINGS.file("cube"), registry.FILLS.file("noise")]
        return rule_fingerprint(self.rule, kinds=tuple(kinds) if self.rule == "train_model" else ())


def describe_machine(wanted: str) -> dict[str, str]:
    """Device, driver, torch and commit of the rows of this machine."""
    device = choose_device(wanted, trainings_per_gpu=64)
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = ""
    if device.type == "cuda":
        driver = subprocess.run(query, capture_output=True, text=True, check=False).stdout.split("\n")[0]
    return {
        "kind": device.type,
        "device": device_name(device),
        "driver": driver,
        "torch": torch.__version__,
        "commit": code_version(),
    }


def read_measured(paths: Iterable[Path]) -> list[dict[str, str]]:
    """The rows of these files; a missing file and a line cut short by a kill are left out."""
    rows = []
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            with suppress(json.JSONDecodeError):
                rows.append(json.loads(line))
    return rows


def add_row(path: Path, unit: Unit, *, machine: Mapping[str, str], what: str, found: str) -> None:
    """Append a row to a file, on a line of its own even after a line that was cut short."""
    row = {"unit": unit.name, "what": what, "found": found, "code": unit.code}
    line = json.dumps(row | dict(machine) | {"date": time.strftime("%Y-%m-%d")}, ensure_ascii=False) + "\n"
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, 2)
            line = line if file.read(1) == b"\n" else "\n" + line
        file.write(line.encode())


def is_done(unit: Unit, rows: Iterable[Mapping[str, str]], *, device: str) -> bool:
    """Whether a unit has been measured to its end on this device, with this code."""
    wanted = {"unit": unit.name, "what": "", "found": DONE, "code": unit.code, "device": device}
    return any(wanted.items() <= row.items() for row in rows)


def tables(units: Iterable[Unit], rows: Iterable[Mapping[str, str]]) -> str:
    """A Markdown table for each piece with the newest rows of this code, and the units without any."""
    pieces: dict[str, list[Unit]] = {}
    for unit in units:
        pieces.setdefault(unit.piece, []).append(unit)
    found = list(rows)
    return "\n".join(_table(piece, members, found) for piece, members in pieces.items())


def _table(piece: str, units: Iterable[Unit], rows: Iterable[Mapping[str, str]]) -> str:
    """One piece."""
    lines, missing = [], []
    for unit in units:
        newest = {}
        for row in rows:
            if row["unit"] == unit.name and row["kind"] == "cuda" and row["code"] == unit.code:
                newest[row["device"], row["what"]] = row
        lines += [
            f"| {unit.name} | {row['what']} | {row['found']} | {row['device']}, torch {row['torch']}, "
            f"driver {row['driver']}, {row['date']}, `{row['commit']}` |"
            for row in newest.values()
            if row["what"]
        ]
        if not any(row["found"] == DONE for row in newest.values() if not row["what"]):
            missing.append(unit.name)
    head = ["| unit | measured | found | by |", "| :-- | :-- | :-- | :-- |"] if lines else []
    listed = f"on this code: {', '.join(missing)}" if lines else "on this code"
    end = [f"**Not measured** {listed}.", ""] if missing else []
    return "\n".join([f"**{piece}**", "", *head, *lines, *([""] if lines else []), *end])


def with_tables(page: str, text: str, *, name: str) -> str:
    """A page with new tables between its marks.

    Raises:
        ValueError: the page lacks a mark.
    """
    first, last = FIRST_MARK.format(name=name), LAST_MARK
    if page.count(first) != 1 or page.count(last) != 1:
        raise ValueError(f"the page lacks the line {first} or {last}. Put both where the tables belong.")
    before, _, rest = page.partition(first)
    return f"{before}{first}\n\n{text}\n{last}{rest.partition(last)[2]}"
