"""One scan as a layout names it, and what every reader does with it."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

LONGEST_NAME_BYTES = 128  # leaves room for suffixes below the 255 bytes that file systems allow
PUNCTUATION = "._-"


@dataclass(frozen=True)
class Scan:
    """A scan as the names of a data set tell it; no file of it has been opened yet.

    Args:
        subject: the person's name in the study, the same for every sequence.
        sequence: name of the sequence in the study, such as "t1".
        path: the scan, or where it was looked for.
        scanner: what splits are stratified by: scanner, site or institution.
        lesion: mask files that together are the lesion; empty if there are none.
        brain_mask: a mask that the data set ships, or None.
        skull_strip: one of `scans.SKULL_STRIPS`, or "" for the cohort's setting.
        problem: why the scan cannot be used, in one line `kind: file, finding, what to do`; "" if it can.
    """

    subject: str
    sequence: str
    path: Path
    scanner: str = "unknown"
    lesion: tuple[Path, ...] = ()
    brain_mask: Path | None = None
    skull_strip: str = ""
    problem: str = ""


def missing_scan(subject: str, sequence: str, *, folder: Path, expected: str) -> Scan:
    """The entry of a scan that its subject should have and does not."""
    return Scan(
        subject,
        sequence,
        folder,
        problem=f"missing file: {folder} holds no {sequence} of {subject}; expected a file like {expected}. "
        f"Fetch it, or take {sequence} out of the cohort's sequences",
    )


def without_lesion(scan: Scan) -> Scan:
    """The scan of a lesion data set that came without its mask: unlabelled is not the same as healthy."""
    return replace(
        scan,
        problem=scan.problem
        or f"no lesion mask: {scan.path} has no segmentation beside it (validation and testing sets are "
        "shipped without). Fetch the training set, or list the scan in a table with its mask",
    )


def keep_first_session(sessions: Sequence[Sequence[Scan]]) -> list[Scan]:
    """All scans of one person, of which only the first session without a problem may be used.

    Two sessions of one person as two subjects could lie in training and test at once.

    Args:
        sessions: the scans of each session, in the order in which they are to be preferred.
    """
    complete = [not any(scan.problem for scan in session) for session in sessions]
    kept = complete.index(True) if any(complete) else 0
    reason = (
        f"is another session or copy of the person in {sessions[kept][0].path}, which is kept: one person "
        "must not lie in two splits. To use this one, list it in a table instead"
    )
    return [
        replace(scan, problem=scan.problem or f"other session: {scan.path} {reason}")
        if number != kept
        else scan
        for number, session in enumerate(sessions)
        for scan in session
    ]


def misnamed_scan(path: Path, subject: str, sequence: str, *, found: str, expected: str) -> Scan:
    """The entry of a file that is nearly named like a scan of the data set, so that nobody misses it.

    Args:
        path: the file.
        subject: whose it seems to be.
        sequence: which it seems to be.
        found: what is wrong with its name.
        expected: a name that its reader would know.
    """
    shown = str(path) if str(path).isprintable() else repr(str(path))
    return Scan(
        " ".join(subject.split()),
        sequence,
        path,
        problem=f"file name: {shown} {found}. Expected a name like {expected}. Rename it, or list it in a "
        "table",
    )


def normalised_name(subject: str) -> str:
    """The name in composed Unicode, so that the same name typed on two systems is one subject."""
    return unicodedata.normalize("NFC", subject)


def name_problem(subject: str) -> str:
    """What keeps a subject's name from being a folder and a file name everywhere; "" if nothing."""
    if not subject:
        return "is empty"
    wrong = [
        letter
        for letter in subject
        if letter not in PUNCTUATION
        and unicodedata.category(letter)[0] not in "LM"
        and not letter.isdecimal()
    ]
    if wrong:
        return f"contains {', '.join(sorted(map(repr, set(wrong))))}"
    if ".." in subject or subject[0] in ".-":
        return 'starts with "." or "-", or contains ".."'
    if len(subject.encode()) > LONGEST_NAME_BYTES:
        return f"is longer than {LONGEST_NAME_BYTES} bytes"
    return ""
