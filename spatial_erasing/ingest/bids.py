"""Data sets in the Brain Imaging Data Structure (BIDS).

Read without pybids: that indexes every file of the data set into a database and brings a dozen packages
(SQLAlchemy, formulaic, ...), where three patterns of names are asked for.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from spatial_erasing.ingest.bids_names import SUFFIXES, WITH_CONTRAST_AGENT, masks_for, parse_name
from spatial_erasing.ingest.bids_scanner import read_participants, scanner_of
from spatial_erasing.ingest.names import folder_entries, is_image_name, natural_order
from spatial_erasing.ingest.records import (
    Scan,
    keep_first_session,
    misnamed_scan,
    missing_scan,
    normalised_name,
)

SEQUENCES = tuple(SUFFIXES)
LAYOUT = (
    "sub-01/anat/sub-01_T1w.nii.gz or sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz (with contrast agent: "
    "..._ce-gadolinium_T1w.nii.gz; other sequences: ..._T2w, ..._FLAIR), masks as "
    "..._label-lesion_mask.nii.gz and ..._desc-brain_mask.nii.gz beside it or in derivatives/*/sub-01/"
)


def find_scans(folder: Path, *, sequences: Sequence[str]) -> list[Scan]:
    """The scans of these sequences in a BIDS data set, with lesion and brain masks where they are.

    Of several sessions of one subject the first complete one is kept, of several runs or acquisitions the
    first by name. A name that is nearly right, or of another subject than its folder, is a problem. The
    scanner is a column of participants.tsv or, failing that, what the sidecar JSON says.
    """
    masks = _masks_by_subject(folder)
    participants = read_participants(folder)
    scans = []
    for place in _folders(folder, "sub-"):
        places = _folders(place, "ses-") or [place]
        if places != [place] and _images_of(place, sequences):
            places.append(place)  # a scan beside the sessions: listed, and used where they have none
        sessions = [
            _scans_of_session(place.name, session, masks=masks[place.name], sequences=sequences)
            for session in places
        ]
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
        agent = "ce-gadolinium_" if sequence in WITH_CONTRAST_AGENT else ""
        expected = f"{subject}_{agent}{SUFFIXES[sequence]}.nii.gz"
        missing = missing_scan(subject, sequence, folder=session / "anat", expected=expected)
        scans += [_with_masks(Scan(subject, sequence, path), masks) for path in found] or [missing]
    return scans


def _images_of(session: Path, sequences: Iterable[str]) -> list[Path]:
    """The images of a session with the suffix of one of these sequences."""
    names = {path: parse_name(path) for path in _images(session / "anat")}
    return [path for path, name in names.items() if any(name.is_scan(sequence) for sequence in sequences)]


def _misnamed_scans(subject: str, session: Path, sequences: Iterable[str]) -> list[Scan]:
    """An entry for each image of a session whose name is nearly that of a scan, or of someone else."""
    scans = []
    for path in _images(session / "anat"):
        name = parse_name(path)
        for sequence in filter(name.is_of, sequences):
            suffix = SUFFIXES[sequence]
            found = _misplacement(path, subject, session) if name.is_scan(sequence) else ""
            if found or name.seems_scan(sequence):
                found = found or f"is not named like a {suffix} scan of BIDS"
                expected = f"{subject}_{suffix}.nii.gz"
                scans.append(misnamed_scan(path, subject, sequence, found=found, expected=expected))
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
        misnamed_scan(place, place.name, sequence, found=found, expected=expected)
        for place in _folders(root, "")
        if re.match(r"sub[-_ ]", place.name, re.IGNORECASE) and not place.name.startswith("sub-")
    ]


def _misnamed_masks(root: Path, subjects: set[str], sequences: Sequence[str]) -> list[Scan]:
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
            if subject in subjects and (name.seems_lesion(sequences) or (found and name.is_lesion)):
                wrong = found or "is not named like a lesion mask of BIDS"
                expected = f"{subject}_label-lesion_mask.nii.gz"
                scans.append(misnamed_scan(path, subject, sequences[0], found=wrong, expected=expected))
    return scans


def _with_masks(scan: Scan, masks: list[Path]) -> Scan:
    """The scan with the masks drawn on it; a lesion drawn on something else alone is a problem.

    Without that, a subject whose lesion was traced on another sequence, in template space or in another
    session would pass as healthy.
    """
    lesions = [mask for mask in masks if parse_name(mask).is_lesion]
    fitting = masks_for(scan.path, lesions)
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


def counting_files(root: Path, *, sequences: Sequence[str]) -> list[Path]:
    """The files that the list of scans depends on, in no order.

    Scans of these sequences, what may tell their scanner, and the masks; nothing else of a data set that may
    hold thousands of functional images.

    Raises:
        OSError: a folder may not be read.
    """
    derivatives = root / "derivatives"
    files = []
    for place in _places(root):
        is_derived = place.is_relative_to(derivatives)
        entries = folder_entries(place)
        files += [
            Path(entry.path) for entry in entries if _counts(entry.name, sequences, is_derived=is_derived)
        ]
    return files


def _counts(name: str, sequences: Sequence[str], *, is_derived: bool) -> bool:
    """Whether the list of scans depends on a file of this name; scans in derivatives/ are not read."""
    if not is_image_name(name):
        sidecars = tuple(f"{SUFFIXES[sequence]}.json" for sequence in sequences)
        return not is_derived and (name == "participants.tsv" or name.endswith(sidecars))
    parsed = parse_name(Path(name))
    is_scan = not is_derived and any(
        parsed.is_scan(sequence) or parsed.seems_scan(sequence) for sequence in sequences
    )
    return parsed.is_lesion or parsed.is_brain_mask or is_scan or parsed.seems_lesion(sequences)


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
