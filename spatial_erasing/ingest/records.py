"""What every reader of a data set uses: images below a folder, what their names mean, and a scan's entry.

Needs no other package, so that the workflow can look for new scans before any job has started.
"""

import csv
import io
import json
import os
import re
import shlex
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, Self

from spatial_erasing.paths import first_closed_folder

Row = dict[str, str]  # of a list of scans: column to cell

# column of results/ingest/scans.csv: the earlier scan that a row repeats in another unit
SAME_BRAIN = "same_brain"
EXCLUSION_HEADER = "cohort,subject,reason"
OF_CONTENT = ("sha256", "voxels", "moments", "grid")
LONGEST_NAME_BYTES = 128  # leaves room for suffixes below the 255 bytes that file systems allow
PUNCTUATION = "._-"


@dataclass(frozen=True)
class Scan:
    """A scan as the names of a data set tell it; no file of it has been opened yet."""

    subject: str  # the person's name in the study, the same for every sequence
    sequence: str  # name of the sequence in the study, such as "t1"
    path: Path  # the scan, or where it was looked for
    scanner: str = "unknown"  # what splits are stratified by: scanner, site or institution
    lesion: tuple[Path, ...] = ()  # mask files that together are the lesion; empty if there are none
    brain_mask: Path | None = None  # a mask that the data set ships, or None
    skull_strip: str = ""  # one of `scans.SKULL_STRIPS`, or "" for the cohort's setting
    # why the scan cannot be used, in one line `kind: file, finding, what to do`; "" if it can
    problem: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        """The scan and its masks."""
        return (self.path, *self.lesion, *filter(None, [self.brain_mask]))

    @classmethod
    def missing(cls, subject: str, sequence: str, *, folder: Path, expected: str) -> Self:
        """The entry of a scan that its subject should have and does not."""
        problem = (
            f"missing file: {folder} holds no {sequence} of {subject}; expected a file like {expected}. "
            f"Fetch it, or take {sequence} out of the cohort's sequences"
        )
        return cls(subject, sequence, folder, problem=problem)

    @classmethod
    def misnamed(cls, path: Path, subject: str, sequence: str, *, found: str, expected: str) -> Self:
        """The entry of a file that is nearly named like a scan of the data set, so that nobody misses it."""
        shown = str(path) if str(path).isprintable() else repr(str(path))
        problem = (
            f"file name: {shown} {found}. Expected a name like {expected}. Rename it, or list it in a table"
        )
        return cls(" ".join(subject.split()), sequence, path, problem=problem)

    def requiring_lesion(self) -> Self:
        """With a problem if it came without a mask: in a lesion data set unlabelled is not healthy."""
        if self.lesion or self.problem:
            return self
        problem = (
            f"no lesion mask: {self.path} has no segmentation beside it (validation and testing sets are "
            "shipped without). Fetch the training set, or list the scan in a table with its mask"
        )
        return replace(self, problem=problem)


def masks_of(row: Mapping[str, str]) -> list[Path]:
    """Lesion and brain masks of a row in a list of scans."""
    return [Path(name) for name in (*json.loads(row["lesion"] or "[]"), row["brain_mask"]) if name]


def keep_first_session(sessions: Sequence[Sequence[Scan]]) -> list[Scan]:
    """All scans of one person, of which only the first session without a problem may be used.

    Two sessions of one person as two subjects could lie in training and test at once.
    """
    complete = [not any(scan.problem for scan in session) for session in sessions]
    kept = complete.index(True) if any(complete) else 0
    reason = (
        f"is another session or copy of the person in {sessions[kept][0].path}, which is kept: one person "
        "must not lie in two splits. To use this one, list it in a table instead"
    )
    scans = []
    for number, session in enumerate(sessions):
        for scan in session:
            other = "" if number == kept else f"other session: {scan.path} {reason}"
            scans.append(replace(scan, problem=scan.problem or other))
    return scans


def normalised_name(subject: str) -> str:
    """The name in composed Unicode, so that the same name typed on two systems is one subject."""
    return unicodedata.normalize("NFC", subject)


def name_problem(subject: str) -> str:
    """What keeps a subject's name from being a folder and a file name everywhere; "" if nothing."""
    if not subject:
        return "is empty"
    letters = set(subject) - set(PUNCTUATION)
    if wrong := [one for one in letters if unicodedata.category(one)[0] not in "LM" and not one.isdecimal()]:
        return f"contains {', '.join(sorted(map(repr, wrong)))}"
    if ".." in subject or subject[0] in ".-":
        return 'starts with "." or "-", or contains ".."'
    if len(subject.encode()) > LONGEST_NAME_BYTES:
        return f"is longer than {LONGEST_NAME_BYTES} bytes"
    return ""


def exclusion_line(row: Mapping[str, Any], reason: str) -> str:
    """The line that leaves out a subject, for the table that `ingest.exclude` names."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([row["cohort"], row["subject"], reason])
    return line.getvalue()


def found_rows(rows: Iterable[Row]) -> list[Row]:
    """The rows of scans that are used."""
    return [row for row in rows if row["status"] == "found"]


def content_of(row: Row) -> str:
    """What two scans with the same voxels have in common; their bytes where voxels are damaged."""
    return row["voxels"] or row["sha256"]


def name_of(row: Row) -> str:
    """A scan by its cohort, subject and sequence."""
    return f"{row['cohort']} {row['subject']} {row['sequence']}"


def find_images(folder: Path) -> list[Path]:
    """Every NIfTI file below a folder, in natural order (2 before 10).

    Raises:
        OSError: a folder may not be read; passing it over would lose subjects silently.
    """
    return sorted(find_files(folder), key=natural_order)


def find_files(folder: Path) -> list[Path]:
    """Every NIfTI file below a folder, in no order; links to folders are followed.

    Hidden files and `__MACOSX` folders are left out: archives packed on a Mac hold a `._` double of each
    scan.
    """
    found, visited = [], set()
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
        place = os.path.realpath(parent)
        if place in visited:  # a link that leads back would be walked for ever
            folders.clear()
            continue
        visited.add(place)
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        found += [Path(parent, name) for name in names if is_image_name(name) and name[0] != "."]
    return found


def is_image_name(name: str) -> bool:
    """Whether a file is named like NIfTI."""
    return name.lower().endswith((".nii", ".nii.gz"))


def image_name(path: Path) -> str:
    """The name that carries meaning, without `.nii` or `.nii.gz`.

    Some unpackers turn `subject_t1.nii.gz` into a folder `subject_t1.nii` around a file with the name it had
    before it was packed; there the folder's name is the one that the data set's owner gave.
    """
    name = path.parent.name if is_image_name(path.parent.name) else path.name
    return re.sub(r"\.nii(\.gz)?$", "", name, flags=re.IGNORECASE)


def case_folder(path: Path) -> Path:
    """The folder in which the image lies, seen past a folder that stands for the image (`image_name`)."""
    return path.parent.parent if is_image_name(path.parent.name) else path.parent


def natural_order(path: Path | str) -> tuple:
    """A sorting key that counts: `run-2` before `run-10`."""
    parts = re.split(r"([0-9]+)", str(path))
    return [int(part) if number % 2 else part for number, part in enumerate(parts)], str(path)


def folder_entries(folder: Path) -> list[os.DirEntry]:
    """What lies directly in a folder, hidden files left out; nothing if there is no such folder.

    `Path.glob` would pass over a folder that may not be read, and its subjects with it.
    """
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.name[0] != "."]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        _raise(error)


def _raise(error: OSError) -> NoReturn:
    """Say how to open a folder that may not be read."""
    if not isinstance(error, PermissionError):
        raise error
    closed = first_closed_folder(Path(error.filename)) or error.filename
    raise PermissionError(
        f"{error.filename} may not be read. Expected every folder of a data set to be open to you: passing "
        "it over would lose subjects silently. Open it, or ask its owner to:\n"
        f"    chmod u+rx {shlex.quote(str(closed))}"
    ) from error
