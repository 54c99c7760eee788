"""ATLAS (Anatomical Tracings of Lesions After Stroke): release 1.x, and 2.0 and after in BIDS names."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from spatial_erasing.ingest import records
from spatial_erasing.ingest.bids_names import masks_for, parse_name
from spatial_erasing.ingest.records import Scan, image_name

SEQUENCES = ("t1",)
LAYOUT = (
    "ATLAS_R1.1/Site1/031768/t01/031768_t1w_deface_stx.nii.gz with 031768_LesionSmooth_stx.nii.gz (and "
    "031768_LesionSmooth_1_stx.nii.gz, ...) beside it, or "
    "ATLAS_2/Training/R001/sub-r001s001/ses-1/anat/sub-r001s001_ses-1_space-MNI152NLin2009aSym_T1w.nii.gz "
    "with ..._label-L_desc-T1lesion_mask.nii.gz beside it"
)
EXPECTED = "031768_t1w_deface_stx.nii.gz or sub-r001s001_ses-1_space-MNI152NLin2009aSym_T1w.nii.gz"
# 031768: standard space, R1.1. c0001s0004t01 (cohort, subject, time point): native space, and R1.2.
FIRST_RELEASE = re.compile(
    r"(?P<person>\d{6}|c\d{4}s\d{4})(?P<time>t\d\d)?(_t1w)?(_deface)?(_stx)?", re.IGNORECASE
)
# a T1 scan by the look of it; with _ and letters behind it, what a program made of one (..._t1w_brain)
SEEMING = re.compile(
    r"(\d{6}|c\d{4}s\d{4}|sub-r\d+s\d+|\d+(?=_t1w))(?!.*lesion).*?(t1w|stx|\d)(?![a-z\d]|_[a-z]).*",
    re.IGNORECASE,
)
SECOND_RELEASE = re.compile(r"sub-r\d+s\d+_.*T1w", re.IGNORECASE)


def find_scans(folder: Path, *, sequences: Iterable[str]) -> list[Scan]:
    """The T1 scans of an ATLAS folder, each with all lesion files of that scan, to be united.

    Of several time points or sessions of one person the first complete one is kept. A scan without lesion
    file, as in the testing set of release 2.0, and a name that is nearly right are listed as problems.
    """
    folders = defaultdict(list)
    for path in records.find_images(folder):
        folders[records.case_folder(path)].append(path)
    sessions: dict[str, dict[str, list[Scan]]] = defaultdict(lambda: defaultdict(list))
    misnamed = []
    for paths in folders.values():
        for path in paths:
            if scan := _scan(path, paths):
                sessions[scan.subject][_session(path)].append(scan)
            elif seeming := SEEMING.fullmatch(image_name(path)):
                found = "is not named like a T1 scan of ATLAS"
                misnamed.append(Scan.misnamed(path, seeming[1], "t1", found=found, expected=EXPECTED))
    named = []
    for person in sessions.values():
        in_order = sorted(person, key=records.natural_order)
        named += records.keep_first_session([person[session] for session in in_order])
    return named + misnamed


def _scan(path: Path, neighbours: Sequence[Path]) -> Scan | None:
    """The scan that this file is, with its lesion files; None if it is no T1 scan."""
    name = image_name(path)
    if match := FIRST_RELEASE.fullmatch(name):
        subject, lesions = match["person"], _lesions_of_first_release(match, neighbours)
    elif SECOND_RELEASE.fullmatch(name):
        subject = name.split("_")[0]
        lesions = masks_for(path, [mask for mask in neighbours if parse_name(mask).is_lesion])
    else:
        return None
    return Scan(subject, "t1", path, scanner=_site(path), lesion=tuple(lesions)).requiring_lesion()


def _lesions_of_first_release(match: re.Match, neighbours: Sequence[Path]) -> list[Path]:
    """The tracing of each lesion by its number, smoothed where there is one; names in any case."""
    start = (match["person"] + (match["time"] or "") + "_lesion").lower()
    traced = []  # path, number of its lesion, and whether it is smoothed
    for path in neighbours:
        name = image_name(path).lower()
        if name.startswith(start):
            number = re.search(r"_(\d+)", name.removeprefix(start))
            traced.append((path, number and number[1], name.startswith(start + "smooth")))
    smoothed = {number for _, number, is_smooth in traced if is_smooth}
    return [path for path, number, is_smooth in traced if is_smooth or number not in smoothed]


def _site(path: Path) -> str:
    """Where it was scanned: Site1 (folder), c0001 (cohort in native names) or R001 (2.0), else "unknown"."""
    if match := re.match(r"sub-(r\d+)s\d+_", path.name, re.IGNORECASE):
        return match[1].upper()
    if match := re.match(r"(c\d{4})s\d{4}", path.name, re.IGNORECASE):
        return match[1].lower()
    return next((part for part in reversed(path.parts) if re.fullmatch(r"Site\d+", part)), "unknown")


def _session(path: Path) -> str:
    """Time point or session: t01 of the name or of the folder, ses-1 of the name."""
    if match := re.match(r"sub-[^_]+_(ses-[^_]+)_", path.name):
        return match[1]
    if (match := FIRST_RELEASE.fullmatch(image_name(path))) and match["time"]:
        return match["time"].lower()
    return next((part for part in reversed(path.parts) if re.fullmatch(r"t\d\d", part)), "")
