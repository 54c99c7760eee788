"""Real lesion shapes in healthy real scans: choice of subjects and shapes, and tables of both cohorts."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from spatial_erasing.ingest.records import find_images, image_name
from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.jobs.parallel import map_in_processes, worker_count
from spatial_erasing.jobs.results import read_record
from spatial_erasing.seeds import hash_fraction
from spatial_erasing.split.assign import stratified_order
from spatial_erasing_phantoms.planted_subject import plant_subject, planted_files

logger = logging.getLogger(__name__)

MEMORY_MB_PER_WORKER = 3500  # deepbet's network, and copies of a scan of 40 million voxels

Row = dict[str, str]


@dataclass(frozen=True)
class PlantedSettings:
    """Settings common to all planted lesions of a run.

    Args:
        lesion_masks: folder of binary lesion masks on the grid of the template.
        template: image of a brain without skull.
        share: fraction of the healthy subjects that receive a lesion, above 0 and below 1.
        seed: of the choice of subjects and shapes.
        minimum_lesion_ml: smaller lesions are skipped.
    """

    lesion_masks: Path
    template: Path
    share: float
    seed: int
    minimum_lesion_ml: float


def hold_out(scanners: Mapping[str, str], *, share: float, seed: int) -> set[str]:
    """The subjects that receive a lesion, by a hash of their names, in proportion per scanner.

    Raises:
        ValueError: no subject, or every subject, would receive one.
    """
    count = round(share * len(scanners))
    if not 0 < count < len(scanners):
        raise ValueError(
            f"phantom.planted.share is {share} of {len(scanners)} subjects: {count} would receive a lesion "
            f"and {len(scanners) - count} stay healthy. Both need subjects: change the share or add scans."
        )
    named = {("planted", subject): scanner for subject, scanner in scanners.items()}
    return {subject for _, subject in stratified_order(named, seed=seed, purpose="planted")[:count]}


def deal_shapes(shapes: Sequence[str], subjects: Sequence[str], *, seed: int) -> dict[str, list[str]]:
    """Lesion shapes per subject, in order of preference; no shape is assigned twice.

    Shapes are assigned in turn, in the order of hashes. If a shape does not fit into a brain, that subject's
    next shape is tried, and no other subject's lesion changes.

    Raises:
        ValueError: fewer shapes than subjects.
    """
    if len(shapes) < len(subjects):
        raise ValueError(
            f"{len(shapes)} lesion shapes for {len(subjects)} subjects; no shape may be used twice. Add "
            f"masks to phantom.planted.lesion_masks or lower phantom.planted.share."
        )
    shuffled = sorted(shapes, key=lambda name: hash_fraction(seed, "planted", "shape", name))
    players = sorted(subjects, key=lambda name: hash_fraction(seed, "planted", "player", name))
    return {player: shuffled[first :: len(players)] for first, player in enumerate(players)}


def shapes_by_name(folder: Path) -> dict[str, Path]:
    """The lesion masks below a folder by their names, under which they are dealt.

    Raises:
        ValueError: two masks have one name, so that one of them would never be planted.
    """
    shapes: dict[str, Path] = {}
    for path in find_images(folder):
        name = image_name(path)
        if name in shapes:
            raise ValueError(
                f"{shapes[name]} and {path} are two lesion masks of one name, {name}. Expected one name a "
                "shape. Rename one of them, or take a copy out of phantom.planted.lesion_masks."
            )
        shapes[name] = path
    return shapes


def make_planted(
    scans: Sequence[Row], folder: Path, *, settings: PlantedSettings, code: str, cores: int
) -> tuple[list[Row], list[Row], list[Row]]:
    """Plant lesions into held-out subjects; returns rows of the healthy cohort, planted cohort and truth.

    Subjects finished by an earlier run with the same files, settings and code are kept.

    Args:
        scans: rows of an ingested table of healthy scans of one sequence; those that were skipped join
            neither cohort.
        folder: of the planted scans; paths of the planted rows are relative to it.
        settings: shapes, template, share and seed.
        code: fingerprint of the planting code.
        cores: worker processes, fewer if memory is short.
    """
    found = {scan["subject"]: scan for scan in scans if scan["status"] == "found"}
    for scan in scans:
        if scan["status"] != "found":
            logger.warning("%s is in neither cohort: %s", scan["subject"], scan["reason"])
    scanners = {subject: scan["scanner"] for subject, scan in found.items()}
    # sorted, since the order of a set differs between processes
    chosen = sorted(hold_out(scanners, share=settings.share, seed=settings.seed))
    shapes = shapes_by_name(settings.lesion_masks)
    dealt = deal_shapes(list(shapes), chosen, seed=settings.seed)
    plant = partial(_plant_once, folder=folder, settings=settings, code=code)
    items = [(found[subject], [shapes[name] for name in dealt[subject]]) for subject in chosen]
    truth = []
    workers = worker_count(cores, memory_mb_per_worker=MEMORY_MB_PER_WORKER)
    for row in map_in_processes(plant, items, workers=workers, name=lambda item: item[0]["subject"]):
        truth.append(row)
        logger.info("%(subject)s: %(shape)s, %(lesion_ml)s ml", row)
    healthy = [
        scan | {scan["sequence"]: scan["path"]}
        for subject, scan in sorted(found.items())
        if subject not in chosen
    ]
    planted = [found[subject] | planted_files(found[subject]) for subject in chosen]
    return healthy, planted, sorted(truth, key=lambda row: row["subject"])


def _plant_once(
    item: tuple[Row, Sequence[Path]], *, folder: Path, settings: PlantedSettings, code: str
) -> Row:
    """The subject's row, from its record if its inputs are unchanged."""
    scan, shapes = item
    record = folder / "records" / f"{scan['subject']}.json"
    beside = [settings.template, *shapes, *([Path(scan["brain_mask"])] if scan["brain_mask"] else [])]
    digests = [sha256(path.read_bytes()).hexdigest() for path in beside]
    parts = [code, settings.seed, settings.minimum_lesion_ml, scan["sha256"], scan["skull_strip"], digests]
    made_from = sha256(json.dumps(parts).encode()).hexdigest()
    files = [folder / name for name in planted_files(scan).values()]
    finished = read_record(record, keys=("made_from", "row"))
    if finished and finished["made_from"] == made_from and all(file.exists() for file in files):
        return finished["row"] | {"scanner": scan["scanner"], "source": scan["path"]}
    record.unlink(missing_ok=True)
    row = plant_subject(
        scan,
        shapes,
        folder=folder,
        template=settings.template,
        seed=settings.seed,
        minimum_lesion_ml=settings.minimum_lesion_ml,
    )
    write_text(record, json.dumps({"made_from": made_from, "row": row}))
    return row
