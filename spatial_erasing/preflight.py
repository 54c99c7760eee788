"""Refusal of planned jobs that would delete results and could not make them again.

Snakemake removes the outputs of a job before it starts. If the raw data or prepared brains of a job are
missing, it must not start.
"""

import json
import shlex
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from spatial_erasing.ingest.source import is_gone, kept_rows
from spatial_erasing.jobs.faults import refuse
from spatial_erasing.jobs.results import read_cells, read_json
from spatial_erasing.paths import may_exist
from spatial_erasing.plan import Plan

Planned = Mapping[str, Sequence[Mapping[str, str]]]
MAKERS = ("make_phantoms", "plant_lesions", "fetch_archive")  # rules that make raw data below results/


def require_material(planned: Planned, plan: Plan) -> None:
    """Refuse a run that would remove lists, manifests or arrays and could not make them again."""
    # raw data below results/ may be missing now and be made by this run
    is_made = any(rule in planned for rule in MAKERS)
    known = [
        name
        for name, source in plan.sources.items()
        if not (is_made and source["path"].startswith("results/"))
    ]
    folder = plan.root / "results/preprocess"
    found: list[str] = []
    for cohort in _cohorts(planned, "list_scans", known):
        found += _list_finding(cohort, plan)
    batches = {(job["cohort"], job["batch"]) for job in planned.get("prepare_brains", ())}
    for cohort, batch in sorted(batches):
        if cohort in known:
            found += _batch_finding(folder / f"{cohort}/batch-{batch}.csv", plan)
    stacked = _cohorts(planned, "stack_cohort", plan.sources)
    # landmarks are learned from the prepared brains of all healthy cohorts
    learned = plan.healthy if "learn_landmarks" in planned else ()
    for cohort in sorted({*stacked, *learned}):
        found += _stack_finding(folder / cohort, batches)
    if not {"train_model", "reconstruct_scans"}.isdisjoint(planned):
        for cohort in sorted({*plan.sources} - {*stacked}):
            found += _arrays_finding(folder / f"{cohort}/volumes.npz", plan.root)
    refuse(
        "this run would remove results and could not make them again",
        found,
        advice="Nothing was removed. Add -n to your command to see the planned jobs and why. Tables and "
        "figures only need results/evaluate/: add --snakefile tables_and_figures.smk.",
    )


def _cohorts(planned: Planned, rule: str, known: Collection[str]) -> list[str]:
    return sorted(job["cohort"] for job in planned.get(rule, ()) if job["cohort"] in known)


def _list_finding(cohort: str, plan: Plan) -> Iterator[str]:
    """A list whose data are missing and that has no copy for these settings."""
    source, listed = plan.sources[cohort], plan.root / f"results/ingest/{cohort}.csv"
    if not listed.exists() or not is_gone(source["reader"], source["path"], sequences=source["sequences"]):
        return
    if kept_rows(listed, source=source, exclude=plan.excluded.get(cohort, {})) is None:
        yield (
            f"{listed.relative_to(plan.root)}: no data are left at {source['path']}, and the list was made "
            f"with other settings of ingest.cohorts.{cohort} or ingest.exclude, or by an earlier version. "
            f"Restore the data or the settings"
        )


def _batch_finding(table: Path, plan: Plan) -> Iterator[str]:
    """Finished subjects whose scans are missing and whose brains have other settings."""
    cohort, folder = table.parent.name, table.parent / "subjects"
    listed = plan.root / f"results/ingest/{cohort}.csv"
    if not table.exists() or not listed.exists():
        return
    scans = {row["subject"]: Path(row["path"]) for row in read_cells(listed) if row["status"] == "found"}
    wanted = json.loads(json.dumps(plan.preparation))

    def is_lost(subject: str) -> bool:
        if subject in plan.excluded.get(cohort, {}) or (subject in scans and may_exist(scans[subject])):
            return False
        return _record(folder / subject).get("asked", {}).get("settings") != wanted

    yield from _lost(
        table,
        is_lost,
        "their scans are missing, and their brains are missing too or were made with other settings or by "
        "an earlier version. Restore the data, or the settings of preprocess",
    )


def _stack_finding(folder: Path, batches: Collection[tuple[str, str]]) -> Iterator[str]:
    """Missing brains of planned stacking jobs, in batches without a planned preprocessing job."""
    for table in sorted(folder.glob("batch-*.csv")):
        if (folder.name, table.stem.removeprefix("batch-")) not in batches:
            yield from _lost(
                table,
                lambda subject: not _record(folder / "subjects" / subject),
                f"their brains are missing in {shlex.quote(str(folder / 'subjects'))}, and volumes.npz "
                f"is made from them. Restore them, or prepare them again: add --forcerun prepare_brains",
            )


def _arrays_finding(volumes: Path, root: Path) -> Iterator[str]:
    """Arrays that a copy or a disk has cut short: networks would be removed before it shows."""
    if volumes.exists() and not zipfile.is_zipfile(volumes):
        path = shlex.quote(str(volumes.relative_to(root)))
        yield (
            f"{path} is not the whole file that its job wrote, and what was made of it would go first. "
            f"Make it again: rm {path}, then give your command once with -- {path} at its end, then as it is"
        )


def _lost(table: Path, is_lost: Callable[[str], bool], why: str) -> Iterator[str]:
    done = [row["subject"] for row in read_cells(table) if row["status"] == "done"]
    if lost := [subject for subject in done if is_lost(subject)]:
        count = f"{len(lost)} of {len(done)} subjects, such as {lost[0]}"
        yield f"{table.parent.name}, {table.name}, {count}: {why}"


def _record(folder: Path) -> dict:
    """What was written beside a prepared brain; {} where there is none, or a damaged one."""
    try:
        return read_json(folder / "record.json", keys=("grids",))
    except OSError:
        return {}
