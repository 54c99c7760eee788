"""Data sets in the Brain Imaging Data Structure (BIDS).

Read without pybids: that brings a dozen packages, where three patterns of names are asked for.
"""

import csv
import json
import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from spatial_erasing.ingest import bids_names
from spatial_erasing.ingest.bids_names import SUFFIXES, folders_in, images_in, masks_for, parse_name
from spatial_erasing.ingest.records import Scan, keep_first_session, normalised_name

logger = logging.getLogger(__name__)

SEQUENCES = tuple(SUFFIXES)
LAYOUT = (
    "sub-01/anat/sub-01_T1w.nii.gz or sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz (with contrast agent: "
    "..._ce-gadolinium_T1w.nii.gz; other sequences: ..._T2w, ..._FLAIR), masks as "
    "..._label-lesion_mask.nii.gz and ..._desc-brain_mask.nii.gz beside it or in derivatives/*/sub-01/"
)
# of participants.tsv, the first that is filled counts
SCANNER_COLUMNS = ("scanner", "scanner_id", "site", "site_id", "center", "centre", "institution")
UNKNOWN = {"", "n/a", "na", "nan"}


def find_scans(folder: Path, *, sequences: Sequence[str]) -> list[Scan]:
    """The scans of these sequences in a BIDS data set, with their lesion and brain masks.

    Of several sessions of one subject the first complete one is kept, of several runs or acquisitions the
    first by name. A name that is nearly right, or of another subject than its folder, is a problem.
    """
    masks = _masks_by_subject(folder)
    participants = read_participants(folder)
    scans = []
    for place in folders_in(folder, "sub-"):
        places = folders_in(place, "ses-") or [place]
        if places != [place] and _images_of(place, sequences):
            places.append(place)  # a scan beside the sessions: listed, and used where they have none
        scans_of = partial(_scans_of_session, place.name, masks=masks[place.name], sequences=sequences)
        sessions = [scans_of(session) for session in places]
        with_scan = [session for session in sessions if any(scan.path.name != "anat" for scan in session)]
        scans += keep_first_session(with_scan or sessions[:1])
        scans += [scan for session in places for scan in _misnamed_scans(place.name, session, sequences)]
    scans += _misnamed_folders(folder, sequences[0])
    scans += _misnamed_masks(folder, {scan.subject for scan in scans}, sequences)
    return [replace(scan, scanner=scanner_of(scan, folder, participants)) for scan in scans]


def _scans_of_session(
    subject: str, session: Path, *, masks: list[Path], sequences: Iterable[str]
) -> list[Scan]:
    """One entry a sequence and one more for each further run of it."""
    scans = []
    for sequence in sequences:
        images = [path for path in _images_of(session, [sequence]) if parse_name(path).is_of(sequence)]
        found = [path for path in images if not _misplacement(path, subject, session)]
        agent = "ce-gadolinium_" if sequence in bids_names.WITH_CONTRAST_AGENT else ""
        expected = f"{subject}_{agent}{SUFFIXES[sequence]}.nii.gz"
        missing = Scan.missing(subject, sequence, folder=session / "anat", expected=expected)
        scans += [_with_masks(Scan(subject, sequence, path), masks) for path in found] or [missing]
    return scans


def _images_of(session: Path, sequences: Iterable[str]) -> list[Path]:
    """The images of a session with the suffix of one of these sequences."""
    names = {path: parse_name(path) for path in images_in(session / "anat")}
    return [path for path, name in names.items() if any(name.is_scan(sequence) for sequence in sequences)]


def _misnamed_scans(subject: str, session: Path, sequences: Iterable[str]) -> list[Scan]:
    """An entry for each image of a session whose name is nearly that of a scan, or of someone else."""
    scans = []
    for path in images_in(session / "anat"):
        name = parse_name(path)
        for sequence in filter(name.is_of, sequences):
            suffix = SUFFIXES[sequence]
            found = _misplacement(path, subject, session) if name.is_scan(sequence) else ""
            if found or name.seems_scan(sequence):
                found = found or f"is not named like a {suffix} scan of BIDS"
                expected = f"{subject}_{suffix}.nii.gz"
                scans.append(Scan.misnamed(path, subject, sequence, found=found, expected=expected))
    return scans


def _misplacement(path: Path, subject: str, session: Path) -> str:
    """What is wrong with the place of an image whose name is of another subject or session; "" if nothing."""
    entities = parse_name(path).entities
    folders = {"sub": subject} | ({"ses": session.name} if session.name.startswith("ses-") else {})
    for key, folder in folders.items():
        named = f"{key}-{entities[key]}" if key in entities else folder
        if normalised_name(named) != normalised_name(folder):
            return f"lies in the folder of {folder}, but its name says {named}"
    return ""


def _misnamed_folders(root: Path, sequence: str) -> list[Scan]:
    """An entry for each folder that is nearly named like a subject's."""
    found, expected = "is not named like the folder of a subject", "sub-01, with a small sub and a hyphen"
    return [
        Scan.misnamed(place, place.name, sequence, found=found, expected=expected)
        for place in folders_in(root)
        if re.match(r"sub[-_ ]", place.name, re.IGNORECASE) and not place.name.startswith("sub-")
    ]


def _misnamed_masks(root: Path, subjects: set[str], sequences: Sequence[str]) -> list[Scan]:
    """An entry for each image of a listed subject that is nearly named, or placed, like a lesion mask."""
    usual = [(place, "") for place in bids_names.all_places(root)]
    deeper = [
        (place, "lies deeper than derivatives/*/, where no mask is looked for")
        for pipeline in folders_in(root / "derivatives")
        for part in folders_in(pipeline)
        if not (pipeline.name.startswith("sub-") or part.name.startswith("sub-"))
        for place in bids_names.places_below(part)
    ]
    scans = []
    for place, found in usual + deeper:
        for path in images_in(place):
            name = parse_name(path)
            folder = next((part for part in path.parts[::-1][1:] if part.startswith("sub-")), "")
            subject = f"sub-{name.entities['sub']}" if "sub" in name.entities else folder
            if subject in subjects and (name.seems_lesion(sequences) or (found and name.is_lesion)):
                wrong = found or "is not named like a lesion mask of BIDS"
                expected = f"{subject}_label-lesion_mask.nii.gz"
                scans.append(Scan.misnamed(path, subject, sequences[0], found=wrong, expected=expected))
    return scans


def _with_masks(scan: Scan, masks: list[Path]) -> Scan:
    """The scan with the masks drawn on it; a lesion drawn on something else alone is a problem.

    Without that, a subject whose lesion was traced on another sequence, in template space or in another
    session would pass as healthy.
    """
    lesions = [mask for mask in masks if parse_name(mask).is_lesion]
    fitting = masks_for(scan.path, lesions)
    # a mask was made of the probabilities, and the union of both would be another lesion
    fitting = [mask for mask in fitting if not parse_name(mask).is_probability] or fitting
    brains = masks_for(scan.path, [mask for mask in masks if parse_name(mask).is_brain_mask])
    problem = ""
    if lesions and not fitting:  # of any session: so the session that has a lesion is preferred
        problem = (
            f"lesion on another grid: {lesions[0]} belongs to {scan.subject}, but its name says that it "
            f"was not drawn on {scan.path.name}. Bring it to that scan and list both in a table"
        )
    return replace(scan, lesion=tuple(fitting), brain_mask=next(iter(brains), None), problem=problem)


def _masks_by_subject(root: Path) -> dict[str, list[Path]]:
    """Lesion and brain masks of every subject, beside the scans and in derivatives/, in natural order."""
    masks = defaultdict(list)
    for place in bids_names.all_places(root):
        for path in images_in(place):
            name = parse_name(path)
            if name.is_lesion or name.is_brain_mask:
                masks[f"sub-{name.entities.get('sub', '')}"].append(path)
    return masks


def read_participants(root: Path) -> dict[str, str]:
    """The scanner of each subject as participants.tsv tells it; empty if it has no such column.

    A broken file costs the scanners' names, with a warning in the log, and no scan.
    """
    path = root / "participants.tsv"
    if not os.path.lexists(path):
        return {}
    lines: list[dict[str, str]] = []
    with _warning_if_broken(path, expected="tab-separated text in UTF-8"):
        lines = list(csv.DictReader(_read_text(path).splitlines(), delimiter="\t"))
    scanners = {}
    for line in lines:
        cells = {key.strip().lower(): (value or "").strip() for key, value in line.items() if key}
        known = [cells[name] for name in SCANNER_COLUMNS if cells.get(name, "").lower() not in UNKNOWN]
        if known:
            scanners["sub-" + cells.get("participant_id", "").removeprefix("sub-")] = known[0]
    return scanners


def scanner_of(scan: Scan, root: Path, participants: dict[str, str]) -> str:
    """The scanner by participants.tsv, else model, field strength and serial number of the sidecar JSON."""
    if scan.subject in participants:
        return participants[scan.subject]
    sidecar = _read_sidecars(scan.path, root, suffix=SUFFIXES[scan.sequence])
    field = sidecar.get("MagneticFieldStrength")
    model, serial = sidecar.get("ManufacturersModelName", ""), sidecar.get("DeviceSerialNumber", "")
    parts = [str(model).strip(), f"{field}T" if field not in (None, "") else "", str(serial).strip()]
    return " ".join(part for part in parts if part.lower() not in UNKNOWN) or "unknown"


def _read_sidecars(scan: Path, root: Path, *, suffix: str) -> dict:
    """What the JSON files above a scan say of it; the nearest wins (BIDS' inheritance principle)."""
    entities = parse_name(scan).entities.items()
    said: dict[str, Any] = {}
    for folder in reversed([place for place in scan.parents if place == root or root in place.parents]):
        for path in sorted(folder.glob(f"*{suffix}.json")):
            if parse_name(path.with_suffix(".nii")).entities.items() <= entities:
                with _warning_if_broken(path, expected="an object in JSON"):
                    content = json.loads(_read_text(path))
                    said |= content if isinstance(content, dict) else {}
    return said


def _read_text(path: Path) -> str:
    """A text file; a pipe or a device would be read for ever."""
    if not path.is_file():
        raise ValueError("it is no file, or a link to nothing")
    return path.read_text(encoding="utf-8-sig")


@contextmanager
def _warning_if_broken(path: Path, *, expected: str) -> Iterator[None]:
    """Say in the log why a scanner has no name, because a scan is worth more than its scanner."""
    try:
        yield
    # other errors of the disk say nothing about the file, and end the job
    except (PermissionError, ValueError, RecursionError, csv.Error) as error:
        logger.warning(
            "%s cannot be read (%s: %s). Expected %s. A scanner that it alone names is listed as unknown; "
            "mend it and run again with --forcerun list_scans to stratify splits by it.",
            *(path, type(error).__name__, error, expected),
        )
