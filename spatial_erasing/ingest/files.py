"""Files of a data set: checked by their header, hashed."""

import hashlib
from pathlib import Path

import nibabel as nib

from spatial_erasing.headers import Header, read_header
from spatial_erasing.image_files import is_packed, require_whole, stated_length, unpacked_length


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal digits, as `sha256sum` prints it."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def describe_grid(path: Path) -> str:
    """Shape, spacing and orientation of an image, such as `240x240x155 1.00x1.00x1.00mm LPS`.

    Reads the header alone, with the checks of preprocessing, and compares the file's length with what the
    header promises.

    Raises:
        FileNotFoundError: there is no such file, or a link to nothing.
        ValueError: it is not a whole 3-D image of plain numbers whose place in the world is certain.
    """
    header = read_header(path)
    _require_length(path, header)
    size = "x".join(map(str, header.shape))
    spacing = "x".join(f"{width:.2f}" for width in nib.affines.voxel_sizes(header.affine))
    return f"{size} {spacing}mm {''.join(nib.aff2axcodes(header.affine))}"


def _require_length(path: Path, header: Header) -> None:
    """Refuse a file of another length; gzip is unpacked only if its trailer does not state a fitting one."""
    needed_bytes, spare_bytes = header.needed_bytes, header.spare_bytes
    if not is_packed(path):
        held_bytes = path.stat().st_size
    elif (stated_length(path) - needed_bytes) % 2**32 <= spare_bytes:
        return
    else:
        held_bytes = unpacked_length(path, at_most=needed_bytes + spare_bytes)
    require_whole(path, held_bytes, needed_bytes, spare_bytes=spare_bytes)
