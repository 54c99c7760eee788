"""BraTS as its organisers ship it, 2017 to 2023 and after."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from spatial_erasing.ingest.records import Scan, case_folder, find_images, image_name, keep_first_session

LAYOUT = (
    "MICCAI_BraTS2020_TrainingData/BraTS20_Training_001/BraTS20_Training_001_t1.nii.gz with ..._t1ce and "
    "..._seg beside it (2017 to 2021; .nii too, HGG/ and LGG/ folders too), or "
    "BraTS-GLI-00000-000/BraTS-GLI-00000-000-t1n.nii.gz with ...-t1c and ...-seg (2023 and after)"
)
EXPECTED = "BraTS20_Training_001_t1.nii.gz or BraTS-GLI-00000-000-t1n.nii.gz"
# What names of files end in, until 2021 and since 2023; an entry more is a sequence more.
ENDINGS = {"t1": ("t1", "t1n"), "t1ce": ("t1ce", "t1c"), "flair": ("flair", "t2f")}
SEQUENCES = tuple(ENDINGS)
KINDS = {ending: sequence for sequence, endings in ENDINGS.items() for ending in endings} | {"seg": "seg"}
OLD_NAME, NEW_NAME = (
    re.compile(f"(.+){sign}({'|'.join([*endings, 'seg'])})", re.IGNORECASE)
    for sign, endings in zip("_-", zip(*ENDINGS.values(), strict=True), strict=True)
)
# a scan by the look of it; with _ and letters behind it, what a program made of one (..._t1_brain)
SEEMING = re.compile(
    rf"(.+)[^a-z\d]+({'|'.join(ending for ending in KINDS if ending != 'seg')})(?![a-z\d]|_[a-z]).*",
    re.IGNORECASE | re.DOTALL,
)
MISNAMED = {"W39_1998.09.19_Segm": ("BraTS20_Training_355", "seg")}  # so it is in the 2020 training set


def find_scans(folder: Path, *, sequences: Sequence[str]) -> list[Scan]:
    """The scans of a BraTS folder, each with its tumour segmentation.

    A case without segmentation and a name that is nearly right are listed as problems. Since 2023 a name ends
    in the time point (BraTS-GLI-00005-100, -101): of one patient the first complete one is kept.
    """
    cases: dict[tuple[Path, str], dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    misnamed = []
    for path in find_images(folder):
        if named := _subject_and_kind(image_name(path)):
            subject, kind = named
            cases[case_folder(path), subject][kind].append(path)
        elif seeming := SEEMING.fullmatch(image_name(path)):
            kind = KINDS[seeming[2].lower()]
            found = f"is not named like a {kind} of BraTS"
            misnamed.append(Scan.misnamed(path, seeming[1], kind, found=found, expected=EXPECTED))
    patients, repeated = defaultdict(list), []
    for (place, subject), files in cases.items():
        # the person behind a case is its name without the time point
        patient = re.sub(r"^(BraTS-.+-\d{4,5})-\d{3}$", r"\1", subject, flags=re.IGNORECASE)
        patients[patient].append(_scans_of_case(subject, files, folder=place, sequences=sequences))
        repeated += [_repeated(subject, sequences[0], path, files["seg"][0]) for path in files["seg"][1:]]
    kept = [scan for sessions in patients.values() for scan in keep_first_session(sessions)]
    return kept + repeated + [scan for scan in misnamed if scan.sequence in sequences]


def _repeated(subject: str, sequence: str, path: Path, kept: Path) -> Scan:
    """The entry of one more segmentation of a case."""
    problem = f"repeated: {path} is one more segmentation of {subject}; {kept} is kept. Delete one"
    return Scan(subject, sequence, path, scanner=institution(subject), problem=problem)


def institution(subject: str) -> str:
    """Where the case was scanned, as far as names tell it: they did until 2019 (BraTS19_TCIA01_131_1)."""
    match = re.match(r"brats1[789]_([a-z0-9]+)_", subject, flags=re.IGNORECASE)
    return match[1] if match else "unknown"


def _subject_and_kind(name: str) -> tuple[str, str] | None:
    """Whose file it is and which one: a sequence or seg; None for other sequences and other files."""
    if name in MISNAMED:
        return MISNAMED[name]
    match = OLD_NAME.fullmatch(name) or NEW_NAME.fullmatch(name)
    return (match[1], KINDS[match[2].lower()]) if match else None


def _scans_of_case(
    subject: str, files: dict[str, list[Path]], *, folder: Path, sequences: Iterable[str]
) -> list[Scan]:
    """One entry a sequence, and one more for each second file of it (`.nii` beside `.nii.gz`)."""
    scans = []
    for sequence in sequences:
        found = [Scan(subject, sequence, path) for path in files.get(sequence, ())]
        old, new = ENDINGS[sequence]
        expected = f"{subject}_{old}.nii.gz or {subject}-{new}.nii.gz"
        scans += found or [Scan.missing(subject, sequence, folder=folder, expected=expected)]
    scanner, lesion = institution(subject), tuple(files.get("seg", ())[:1])
    return [replace(scan, scanner=scanner, lesion=lesion).requiring_lesion() for scan in scans]
