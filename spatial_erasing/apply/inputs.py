"""Which scans a command line means: files, folders, BIDS data sets, and DICOM in a folder or zip."""

import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from spatial_erasing.images.image_files import MGH_NAMES, NIFTI_NAMES
from spatial_erasing.ingest.bids_names import SUFFIXES, WITH_CONTRAST_AGENT

IMAGES = (*NIFTI_NAMES, *MGH_NAMES)
BIDS_NAME = re.compile(r"sub-[A-Za-z0-9]+(_[a-zA-Z]+-[A-Za-z0-9]+)*_T1w")
LARGEST_DICOM_BYTES = 4 << 30
MOST_DICOM_FILES = 20_000


@dataclass(frozen=True)
class Input:
    """A scan that was asked for.

    Args:
        path: of an image, or of a folder or zip of DICOM.
        name: by which its results are found: of the file without its ending.
        root: of its BIDS data set; None outside of one.
    """

    path: Path
    name: str
    root: Path | None = None

    @property
    def is_bids(self) -> bool:
        """Whether its name is one of BIDS."""
        return bool(BIDS_NAME.fullmatch(self.name))


def find_inputs(
    paths: Sequence[str | Path], *, participants: Iterable[str] = (), sequence: str = "t1"
) -> list[Input]:
    """The scans that these paths mean, each with a name of its own.

    Args:
        paths: images, folders of images, BIDS data sets, folders or zips of DICOM.
        participants: of a BIDS data set, without "sub-"; none for all.
        sequence: of the scans that are looked for in a BIDS data set.

    Raises:
        ValueError: a BIDS data set lacks a participant, or there is no scan at all.
    """
    found = [scan for path in paths for scan in _inputs_of(Path(path), set(participants), sequence)]
    if not found:
        named = ", ".join(map(str, paths))
        raise ValueError(f"no scan was found in {named}. Expected {', '.join(IMAGES)} or DICOM files.")
    return _with_own_names(found)


def _inputs_of(path: Path, participants: set[str], sequence: str) -> Iterator[Input]:
    if not path.is_dir():
        yield Input(path, image_stem(path))
    elif participants or (path / "dataset_description.json").exists() or any(path.glob("sub-*/**/anat")):
        yield from _bids_inputs(path, participants, sequence)
    elif images := sorted(file for file in path.glob("[!.]*") if file.name.lower().endswith(IMAGES)):
        yield from (Input(file, image_stem(file)) for file in images)
    else:
        yield Input(path, path.resolve().name)  # DICOM, as its reading will tell


def _bids_inputs(root: Path, participants: set[str], sequence: str) -> Iterator[Input]:
    """The scans of a sequence in a data set; derivatives within it are not looked at."""
    if sequence not in SUFFIXES:
        raise ValueError(f"BIDS has no name for the sequence '{sequence}'. Give the images themselves.")
    participants = {name.removeprefix("sub-") for name in participants}
    there = {folder.name.removeprefix("sub-") for folder in root.glob("sub-*") if folder.is_dir()}
    if missing := participants - there:
        names = ", ".join(sorted(missing))
        raise ValueError(f"{root} has no participant {names}. Correct --participant-label.")
    for subject in sorted(participants or there):
        for file in sorted((root / f"sub-{subject}").rglob(f"*_{SUFFIXES[sequence]}.nii*")):
            is_its = ("_ce-" in file.name) == (sequence in WITH_CONTRAST_AGENT)
            if is_its and file.parent.name == "anat" and file.name.lower().endswith(NIFTI_NAMES):
                yield Input(file, image_stem(file), root)


def image_stem(path: Path) -> str:
    """The name of a file without the ending of an image or an archive."""
    for ending in (*sorted(IMAGES, key=len, reverse=True), ".zip"):
        if path.name.lower().endswith(ending) and len(path.name) > len(ending):
            return path.name[: -len(ending)]
    return path.name or path.resolve().name


def _with_own_names(found: list[Input]) -> list[Input]:
    """Names that tell the scans apart: folders of the same results must not be written twice."""
    names = [scan.name for scan in found]
    own: list[Input] = []
    taken: set[str] = set()
    for scan in found:
        name = scan.name
        if names.count(name) > 1:
            name = f"{scan.path.resolve().parent.name}_{name}"
        first, number = name, 2
        while name in taken:
            name, number = f"{first}_{number}", number + 1
        taken.add(name)
        own.append(Input(scan.path, name, scan.root))
    return own


@contextmanager
def as_image(scan: Input) -> Iterator[Path]:
    """The file of a scan; DICOM is converted to NIfTI in a temporary folder.

    Raises:
        ValueError: there is no such file or folder, or it holds no series of DICOM, or several.
    """
    if not scan.path.exists():
        raise ValueError(f"{scan.path} does not exist. Correct the path of the scan.")
    is_zip = scan.path.suffix.lower() == ".zip"
    if not scan.path.is_dir() and not is_zip:
        yield scan.path
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = scan.path
        if is_zip:
            folder = Path(scratch, "dicom")
            folder.mkdir()
            _unzip(scan.path, folder)
        image = Path(scratch, "scan.nii.gz")
        _convert(folder, image, given=scan.path)
        yield image


def _unzip(packed: Path, folder: Path) -> None:
    """The files of a zip under numbers of our own, so that no name in it leads anywhere."""
    try:
        with zipfile.ZipFile(packed) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            size = sum(member.file_size for member in members)
            if size > LARGEST_DICOM_BYTES or len(members) > MOST_DICOM_FILES:
                raise ValueError(
                    f"{packed} unpacks to {len(members)} files of {size:,} bytes together, too many for one "
                    "scan. Give the folder or zip of a single series."
                )
            for number, member in enumerate(members):
                if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
                    raise ValueError(
                        f"{packed} holds {member.filename!r}, which is no plain file. Unpack it yourself."
                    )
                if PurePosixPath(member.filename).name != "DICOMDIR":
                    (folder / f"{number:06d}.dcm").write_bytes(archive.read(member))
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError, zlib.error) as error:
        raise ValueError(f"{packed} cannot be unpacked ({error}). Expected a zip of DICOM files.") from error


def _convert(folder: Path, image: Path, *, given: Path) -> None:
    """Write the only series of DICOM below a folder as NIfTI."""
    import SimpleITK as sitk  # noqa: PLC0415  most scans are no DICOM

    folders = [folder, *sorted(child for child in folder.rglob("*") if child.is_dir())]
    series = [
        (place, name)
        for place in folders
        for name in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(place)) or ()
    ]
    if len(series) != 1:
        found = f"{len(series)} series of DICOM" if series else "no image and no DICOM"
        raise ValueError(f"{given} holds {found}. Expected one scan: give the folder of a single T1 series.")
    place, name = series[0]
    try:
        files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(place), name)
        sitk.WriteImage(sitk.ReadImage(files), str(image))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[-200:]
        raise ValueError(f"{given} cannot be read as DICOM ({reason}). Convert it with dcm2niix.") from error
