"""Many scans, one after the other or several at a time: kept when finished, named when failed."""

import functools
import json
import logging
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib

from spatial_erasing import __version__
from spatial_erasing.apply.bids import bids_places, write_description, write_sidecars
from spatial_erasing.apply.bundle import Bundle, open_bundle
from spatial_erasing.apply.inputs import Input, as_image, find_inputs
from spatial_erasing.apply.one_scan import Asked, Model, examine
from spatial_erasing.apply.outputs import EXTRAS, Places, write_results
from spatial_erasing.apply.rows import COLUMNS, DONE, FAILED, KEPT, LEFT, ended_row, finished_row, write_run
from spatial_erasing.cohorts import write_rows
from spatial_erasing.images.volumes import read_volume
from spatial_erasing.ingest.files import sha256_of
from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.jobs.faults import is_finding
from spatial_erasing.jobs.parallel import map_in_processes, worker_count
from spatial_erasing.jobs.results import read_record
from spatial_erasing.paths import require_file

logger = logging.getLogger(__name__)

MEMORY_MB_PER_WORKER = 3000


@dataclass(frozen=True)
class Options:
    """How scans are examined, and which files are written for each.

    Args:
        model: path of a bundle; None for the example model of this package.
        sequence: of the scans; None for that of the model's training.
        device: "cpu", "auto", or a GPU such as "cuda:0".
        workers: scans at a time; 0 for what the machine can take.
        brain_mask: of a single scan, on its voxels.
        stripped: whether the skull is gone in all of them.
        threshold: from which a voxel is marked, above 0; None for the model's own.
        score: of the model; None for its usual one.
        save: which of `outputs.EXTRAS` are written.
        naming: "plain" or "bids"; "auto" is bids where all scans have names of BIDS and come from a data set.
    """

    model: str | Path | None = None
    sequence: str | None = None
    device: str = "cpu"
    workers: int = 0
    brain_mask: str | Path | None = None
    stripped: bool = False
    threshold: float | None = None
    score: str | None = None
    save: tuple[str, ...] = ()
    naming: str = "auto"

    def __post_init__(self) -> None:
        if unknown := set(self.save) - set(EXTRAS):
            raise ValueError(
                f"cannot save {', '.join(sorted(unknown))}; expected some of {', '.join(EXTRAS)}."
            )
        if self.naming not in ("auto", "plain", "bids"):
            raise ValueError(f"naming is '{self.naming}'; expected plain or bids.")
        if self.threshold is not None and not 0 < self.threshold < math.inf:
            raise ValueError(f"the threshold is {self.threshold:g}; expected a finite number above 0.")
        if self.stripped and self.brain_mask is not None:
            raise ValueError("a scan is either stripped or has a brain mask of its own. Give one of the two.")


def apply(
    scans: Any,
    output: str | Path,
    *,
    options: Options | None = None,
    participants: Sequence[str] = (),
    progress: Callable[[str], object] = logger.info,
) -> list[dict[str, Any]]:
    """Mark anomalies in scans: write maps, tables and pages, and return the rows of `scans.csv`.

    Args:
        scans: a path or a nibabel image, or several: images, folders of them, BIDS data sets, DICOM.
        output: folder of the results; scans already finished there are kept.
        options: None for the example model with its defaults.
        participants: of a BIDS data set; empty for all.
        progress: called with one line per scan.

    Raises:
        FileNotFoundError: the model does not exist.
        ValueError: the model cannot be used, no scan was found, or the options exclude each other.
    """
    options = options or Options()
    bundle = open_bundle(options.model)
    model = Model(bundle, sequence=options.sequence)  # refuses a bundle before the first scan
    model.settings.scoring(options.score or model.settings.score)
    with tempfile.TemporaryDirectory() as folder:
        found = find_inputs(
            _as_paths(scans, Path(folder)), participants=participants, sequence=model.settings.sequence
        )
        options = _settle(options, found)
        return _apply_to_inputs(found, Path(output), bundle, options=options, progress=progress)


def _as_paths(scans: Any, folder: Path) -> list[str | Path]:
    """Paths as given; images in memory are written into a temporary folder."""
    several = list(scans) if isinstance(scans, list | tuple) else [scans]
    paths: list[str | Path] = []
    for number, scan in enumerate(several, start=1):
        if not isinstance(scan, str | Path):
            file = folder / f"scan-{number}.nii.gz"
            nib.save(nib.Nifti1Image.from_image(scan), file)
            scan = file  # noqa: PLW2901
        paths.append(scan)
    return paths


def _settle(options: Options, found: Sequence[Input]) -> Options:
    """Options with everything decided that depends on the scans."""
    if options.brain_mask is not None and len(found) > 1:
        raise ValueError(f"one brain mask was given for {len(found)} scans. Give one scan, or none.")
    if options.brain_mask is not None and not Path(options.brain_mask).exists():
        raise ValueError(f"{options.brain_mask} does not exist. Correct the path of the brain mask.")
    are_bids = all(scan.is_bids for scan in found)
    if options.naming == "bids" and not are_bids:
        other = next(scan for scan in found if not scan.is_bids)
        raise ValueError(f"{other.path} has no BIDS name (sub-X_T1w.nii.gz). Say --naming plain.")
    naming = options.naming
    if naming == "auto":
        naming = "bids" if are_bids and all(scan.root for scan in found) else "plain"
    cores = options.workers or os.cpu_count() or 1
    workers = min(len(found), worker_count(cores, memory_mb_per_worker=MEMORY_MB_PER_WORKER))
    return replace(options, naming=naming, workers=options.workers or workers)


def _apply_to_inputs(
    found: Sequence[Input],
    output: Path,
    bundle: Bundle,
    *,
    options: Options,
    progress: Callable[[str], object],
) -> list[dict[str, Any]]:
    """The rows of all scans; `scans.csv` is written after each, so that a kill keeps what is finished."""
    begin = time.time()
    output.mkdir(parents=True, exist_ok=True)
    if options.naming == "bids":
        write_description(output, roots={scan.root for scan in found if scan.root})
    order = {scan.name: place for place, scan in enumerate(found)}
    rows: list[dict[str, Any]] = []
    write_rows(output / "scans.csv", rows, columns=COLUMNS)
    try:
        for row in _rows(found, output, options, bundle):
            rows.append(row)
            rows.sort(key=lambda row: order[row["name"]])
            write_rows(output / "scans.csv", rows, columns=COLUMNS)
            what = row["reason"] or f"{row['total_ml']:.1f} ml marked"
            progress(f"{len(rows)} of {len(found)}  {row['name']}: {row['status']}, {what}")
    finally:
        write_run(output / "run.json", rows, bundle, options=asdict(options), begin=begin)
    return rows


def _rows(found: Sequence[Input], output: Path, options: Options, bundle: Bundle) -> Iterator[dict[str, Any]]:
    examine_one = partial(apply_to_one, output=output, options=options, checksum=bundle.sha256)
    is_alone = options.workers == 1 or len(found) == 1
    if is_alone or options.device == "cpu":  # a process that has used a GPU cannot share it with its children
        _model(options.model, options.device, options.sequence, bundle.sha256)
    if is_alone:
        for scan in found:
            try:
                yield examine_one(scan)
            except Exception as error:
                logger.exception("%s is left", scan.path)
                yield ended_row(scan, LEFT, error)
        return
    left: list[dict[str, Any]] = []
    yield from map_in_processes(
        examine_one,
        found,
        workers=options.workers,
        name=lambda scan: scan.name,
        failed=lambda scan, error: left.append(ended_row(scan, LEFT, error)),
    )
    yield from left


def apply_to_one(scan: Input, *, output: Path, options: Options, checksum: str) -> dict[str, Any]:
    """The row of one scan in `scans.csv`: done, kept from before, or failed with the finding in it.

    Every other error is a fault of the machine, the model or the software, and is raised.

    Args:
        scan: that was asked for.
        output: folder of all results.
        options: settled.
        checksum: of the bundle.
    """
    begin = time.perf_counter()
    model = _model(options.model, options.device, options.sequence, checksum)
    places = (bids_places if options.naming == "bids" else Places.plain)(output, scan)
    try:
        with as_image(scan) as image:
            require_file(image)
            asked = {"sha256": _sha256(image), "model_sha256": checksum, **_what_counts(options)}
            earlier = _earlier(places, scan, asked)
            if earlier and places.are_there(options.save):
                return finished_row(scan, KEPT, earlier, begin)
            summary = _examine(scan, image, places, model, options=options, asked=asked)
    except ValueError as error:
        if not is_finding(error):
            raise
        logger.debug("%s failed", scan.path, exc_info=error)
        return ended_row(scan, FAILED, error)
    return finished_row(scan, DONE, summary, begin)


def _examine(
    scan: Input, image: Path, places: Places, model: Model, *, options: Options, asked: dict[str, Any]
) -> dict[str, Any]:
    """Read, examine and write a scan; its summary."""
    begin = time.perf_counter()
    volume = read_volume(image)
    reading = time.perf_counter() - begin
    mask = None if options.brain_mask is None else read_volume(options.brain_mask)
    skull = "none" if options.stripped else "given" if mask is not None else None
    found = examine(volume, model, Asked(skull, mask, options.score, options.threshold))
    found.seconds["read"] = reading
    known = {
        "scan": scan.name,
        "path": str(scan.path.absolute()),
        "stripped": options.stripped,
        "asked": asked,
    }
    begin = time.perf_counter()
    summary = write_results(
        found, model, places=places, image=image, save=options.save, known=known | {"sha256": asked["sha256"]}
    )
    if options.naming == "bids":
        write_sidecars(places, scan, summary)
    summary["steps"]["write"] = round(time.perf_counter() - begin, 3)
    summary["seconds"] = round(sum(summary["steps"].values()), 2)
    write_text(places.paths["summary"], json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    return summary


@functools.cache
def _model(path: str | Path | None, device: str, sequence: str | None, checksum: str) -> Model:
    """The model with its networks, loaded once a process; another one when its file has changed since."""
    bundle = open_bundle(path)
    if bundle.sha256 != checksum:
        raise ValueError(f"{bundle.path} was changed while scans were examined. Give the same command again.")
    model = Model(bundle, device=device, sequence=sequence)
    _ = model.networks
    return model


def _what_counts(options: Options) -> dict[str, Any]:
    """What the results depend on beside scan and model."""
    mask = options.brain_mask
    values = asdict(options)
    kept = {name: values[name] for name in ("sequence", "stripped", "threshold", "score")}
    return kept | {"brain_mask": None if mask is None else _sha256(Path(mask)), "version": __version__}


def _earlier(places: Places, scan: Input, asked: dict[str, Any]) -> dict[str, Any] | None:
    """The summary of results with the same scan, model and options; other results of it are removed.

    Raises:
        ValueError: results of another scan lie there, of another path and content.
    """
    file = places.paths["summary"]
    summary = read_record(file, keys=("asked", "path", "sha256"))
    if summary and summary["asked"] == asked:
        return summary
    if summary and summary["path"] != str(scan.path.absolute()) and summary["sha256"] != asked["sha256"]:
        raise ValueError(
            f"{file} is of another scan, {summary['path']}. Give another --output for {scan.path}, or remove "
            "that file to have its results replaced."
        )
    places.remove()
    return None


def _sha256(path: Path) -> str:
    require_file(path)
    return sha256_of(path)
