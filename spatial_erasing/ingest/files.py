"""Files of a data set: found below a folder, named, checked by their header, hashed."""

import gzip
import hashlib
import os
import re
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np

CHUNK_BYTES = 1 << 20


def find_images(folder: Path) -> list[Path]:
    """Every NIfTI file below a folder, in natural order (2 before 10); links to folders are followed.

    Hidden files and `__MACOSX` folders are left out: archives packed on a Mac hold a `._` double of each
    scan.

    Raises:
        OSError: a folder may not be read; passing it over would lose subjects silently.
    """
    images, visited = [], set()
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
        place = os.path.realpath(parent)
        if place in visited:  # a link that leads back would be walked for ever
            folders.clear()
            continue
        visited.add(place)
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        images += [Path(parent, name) for name in names if is_image_name(name) and name[0] != "."]
    return sorted(images, key=natural_order)


def is_image_name(name: str) -> bool:
    """Whether a file is named like NIfTI."""
    return name.lower().endswith((".nii", ".nii.gz"))


def image_name(path: Path) -> str:
    """The name that carries meaning, without `.nii` or `.nii.gz`.

    Some unpackers and mirrors turn `subject_t1.nii.gz` into a folder `subject_t1.nii` around a file with the
    name it had before it was packed; there the folder's name is the one that the data set's owner gave.
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


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal digits, as `sha256sum` prints it."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def describe_grid(path: Path) -> str:
    """Shape, spacing and orientation of an image, such as `240x240x155 1.00x1.00x1.00mm LPS`.

    Reads the header alone, and compares the file's length with what the header promises.

    Raises:
        FileNotFoundError: there is no such file, or a link to nothing.
        ValueError: it is not a whole 3-D NIfTI image of plain numbers.
    """
    _require_content(path)
    try:
        image = nib.load(path)
    except Exception as error:  # nibabel, gzip and zlib raise a dozen unrelated types for a broken file
        found = f"cannot be read as NIfTI ({type(error).__name__}: {error})".replace("\n", " ")
        raise ValueError(f"{path} {found}. Fetch or convert the file again") from error
    if not isinstance(image, nib.Nifti1Image):
        found = f"is {type(image).__name__}, not NIfTI"
        raise ValueError(f"{path} {found}. Convert it to .nii.gz (mri_convert, dcm2niix)")
    shape, affine = image.shape, image.affine
    if len(shape) < 3 or min(shape[:3]) < 2 or any(size > 1 for size in shape[3:]):
        raise ValueError(f"{path} has shape {shape}; a scan has three axes. Write one volume of it to a file")
    if image.get_data_dtype().kind not in "iuf":
        raise ValueError(
            f"{path} stores {image.get_data_dtype()}, not plain numbers. Write it as grey values"
        )
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-6:
        raise ValueError(f"{path} has no usable affine. Restore its header from the original scan")
    _require_length(path, image.dataobj.offset + image.get_data_dtype().itemsize * int(np.prod(shape)))
    size = "x".join(map(str, shape[:3]))
    spacing = "x".join(f"{width:.2f}" for width in nib.affines.voxel_sizes(affine))
    return f"{size} {spacing}mm {''.join(nib.aff2axcodes(affine))}"


def _raise(error: OSError) -> None:
    """What `os.walk` does with a folder that it may not read."""
    raise error


def _require_content(path: Path) -> None:
    """Refuse what nibabel would only complain about obscurely."""
    if path.is_symlink() and not path.exists():
        raise FileNotFoundError(
            f"{path} is a link to {path.readlink()}, which is not there. "
            "Fetch its content (datalad get, git annex get) or mount the disk that holds it"
        )
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file. Correct the path or fetch the file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty (0 bytes). Fetch the file again")


def _require_length(path: Path, needed_bytes: int) -> None:
    """Refuse a file that ends before its last voxel, as an interrupted download does."""
    held_bytes = _held_bytes(path, needed_bytes)
    if held_bytes < needed_bytes:
        raise ValueError(
            f"{path} ends early: {held_bytes} of {needed_bytes} bytes that its header promises. "
            "Fetch the file again"
        )


def _held_bytes(path: Path, needed_bytes: int) -> int:
    """Length of the unpacked file; a gzip file is unpacked only if its trailer does not state the length."""
    if path.suffix.lower() != ".gz":
        return path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(-4, os.SEEK_END)
        if int.from_bytes(stream.read(4), "little") == needed_bytes % 2**32:
            return needed_bytes
    held_bytes = 0
    try:
        with gzip.open(path) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                held_bytes += len(chunk)
    except (EOFError, OSError, zlib.error):
        pass  # what could be unpacked until here is what the file holds
    return held_bytes
