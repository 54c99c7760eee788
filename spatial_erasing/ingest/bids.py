"""Data sets in the Brain Imaging Data Structure (BIDS).

Read without pybids: that indexes every file of the data set into a database and brings a dozen packages
(SQLAlchemy, formulaic, ...), where three patterns of names are asked for.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from spatial_erasing.ingest.bids_names import masks_for, parse_name
from spatial_erasing.ingest.bids_scanner import read_participants, scanner_of
from spatial_erasing.ingest.names import folder_entries, is_image_name, natural_order
from spatial_erasing.ingest.records import (
    Scan,
    keep_first_session,
    misnamed_scan,
    missing_scan,
    normalised_name,
)

LAYOUT = (
    "sub-01/anat/sub-01_T1w.nii.gz or sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz (with contrast agent: "
    "..._ce-gadolinium_T1w.nii.gz), masks as ..._label-lesion_mask.nii.gz and ..._desc-brain_mask.nii.gz "
    "beside it or in derivatives/*/sub-01/"
)


def find_scans(folder: Path, *, sequences: Iterable[str]) -> list[Scan]:
    """The T1-weighted scans of a BIDS data set, with lesion and brain masks where they are.

    Of several sessions of one subject the first complete one is kept, of several runs or acquisitions the
    first by name. A name that is nearly right, or of another subject than its folder, is a problem. The
    scanner is a column of participants.tsv or, failing that, what the sidecar JSON says.
    """
    masks = _masks_by_subject(folder)
    participants = read_participants(folder)
    scans = []
    for place in _folders(folder, "sub-"):
        places = _folders(place, "ses-") or [place]
        if places != [place] and any(parse_name(path).is_t1 for path in _images(place / "anat")):
            places.append(place)  # a scan beside the sessions: listed, and used where they have none
        sessions = [
            _scans_of_session(place.name, session, masks=masks[place.name], sequences=sequences)
            for session in places
        ]
        with_t1 = [session for session in sessions if any(scan.path.name != "anat" for scan in session)]
        scans += keep_first_session(with_t1 or sessions[:1])
        misnamed = [scan for session in places for scan in _misnamed_scans(place.name, session)]
        scans += [scan for scan in misnamed if scan.sequence in sequences]
    scans += _misnamed_folders(folder)
    scans += _misnamed_masks(folder, {scan.subject for scan in scans}, next(iter(sequences)))
    return [replace(scan, scanner=scanner_of(scan, folder, participants)) for scan in scans]


def _scans_of_session(
    subject: str, session: Path, *, masks: list[Path], sequences: Iterable[str]
) -> list[Scan]:
    """One entry a sequence and one more for each further run of it."""
    images = [path for path in _images(session / "anat") if parse_name(path).is_t1]
    images = [path for path in images if not _misplacement(path, subject, session)]
    scans = []
    for sequence in sequences:
        enhanced = sequence == "t1ce"
        found = [path for path in images if ("ce" in parse_name(path).entities) == enhanced]
        expected = f"{subject}_{'ce-gadolinium_' if enhanced else ''}T1w.nii.gz"
        missing = missing_scan(subject, sequence, folder=session / "anat", expected=expected)
        scans += [_with_masks(Scan(subject, sequence, path), masks) for path in found] or [missing]
    return scans


def _misnamed_scans(subject: str, session: Path) -> list[Scan]:
    """An entry for each T1-weighted image of a session whose name is nearly right, or of someone else."""
    scans = []
    for path in _images(session / "anat"):
        name = parse_name(path)
        found = _misplacement(path, subject, session) if name.is_t1 else ""
        if found or name.seems_t1:
            sequence = "t1ce" if "ce" in name.entities else "t1"
            found = found or "is not named like a T1-weighted scan of BIDS"
            scans.append(
                misnamed_scan(path, subject, sequence, found=found, expected=f"{subject}_T1w.nii.gz")
            )
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


def _misnamed_folders(root: Path) -> list[Scan]:
    """An entry for each folder that is nearly named like a subject's."""
    found = "is not named like the folder of a subject"
    return [
        misnamed_scan(place, place.name, "t1", found=found, expected="sub-01, with a small sub and a hyphen")
        for place in _folders(root, "")
        if re.match(r"sub[-_ ]", place.name, re.IGNORECASE) and not place.name.startswith("sub-")
    ]


def _misnamed_masks(root: Path, subjects: set[str], sequence: str) -> list[Scan]:
    """An entry for each image of a listed subject that is nearly named, or placed, like a lesion mask."""
    deeper = [
        (place, "lies deeper than derivatives/*/, where no mask is looked for")
        for pipeline in _folders(root / "derivatives", "")
        for part in _folders(pipeline, "")
        if not (pipeline.name.startswith("sub-") or part.name.startswith("sub-"))
        for place in _places_below(part)
    ]
    scans = []
    for place, found in [*((place, "") for place in _places(root)), *deeper]:
        for path in _images(place):
            name = parse_name(path)
            folder = next((part for part in path.parts[::-1][1:] if part.startswith("sub-")), "")
            subject = f"sub-{name.entities['sub']}" if "sub" in name.entities else folder
            if subject in subjects and (name.seems_lesion or (found and name.is_lesion)):
                wrong = found or "is not named like a lesion mask of BIDS"
                expected = f"{subject}_label-lesion_mask.nii.gz"
                scans.append(misnamed_scan(path, subject, sequence, found=wrong, expected=expected))
    return scans


def _with_masks(scan: Scan, masks: list[Path]) -> Scan:
    """The scan with the masks drawn on it; a lesion drawn on something else alone is a problem.

    Without that, a subject whose lesion was traced on FLAIR, in template space or in another session would
    pass as healthy.
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
    for place in _places(root):
        for path in _images(place):
            name = parse_name(path)
            if name.is_lesion or name.is_brain_mask:
                masks[f"sub-{name.entities.get('sub', '')}"].append(path)
    return masks


def counting_files(root: Path) -> list[Path]:
    """The files that the list of scans depends on, in no order.

    T1-weighted scans, what may tell their scanner, and the masks; nothing else of a data set that may hold
    thousands of functional images.

    Raises:
        OSError: a folder may not be read.
    """
    derivatives = root / "derivatives"
    files = []
    for place in _places(root):
        is_derived = place.is_relative_to(derivatives)
        entries = folder_entries(place)
        files += [Path(entry.path) for entry in entries if _counts(entry.name, is_derived=is_derived)]
    return files


def _counts(name: str, *, is_derived: bool) -> bool:
    """Whether the list of scans depends on a file of this name; scans in derivatives/ are not read."""
    if not is_image_name(name):
        return not is_derived and (name == "participants.tsv" or name.endswith("T1w.json"))
    parsed = parse_name(Path(name))
    is_scan = not is_derived and (parsed.is_t1 or parsed.seems_t1)
    return parsed.is_lesion or parsed.is_brain_mask or is_scan or parsed.seems_lesion


def _places(root: Path) -> Iterator[Path]:
    """Every folder in which a scan or a mask may lie."""
    derivatives = root / "derivatives"
    yield from _places_below(root)
    yield from _places_below(derivatives)
    for pipeline in _folders(derivatives, ""):
        if not pipeline.name.startswith("sub-"):
            yield from _places_below(pipeline)


def _places_below(base: Path) -> Iterator[Path]:
    """A folder and those of its subjects' anatomy."""
    yield base
    for subject in _folders(base, "sub-"):
        for session in (subject, *_folders(subject, "ses-")):
            yield session
            yield session / "anat"


def _folders(place: Path, start: str) -> list[Path]:
    """Folders in `place` whose name starts like this, in natural order."""
    entries = folder_entries(place)
    found = [Path(entry.path) for entry in entries if entry.name.startswith(start) and entry.is_dir()]
    return sorted(found, key=natural_order)


def _images(place: Path) -> list[Path]:
    """NIfTI files directly in `place`, in natural order; links to nothing too, so that they are reported."""
    found = [Path(entry.path) for entry in folder_entries(place) if is_image_name(entry.name)]
    return sorted(found, key=natural_order)
