"""Image files for tests, and their bytes, to be changed behind the back of every library."""

import gzip

import nibabel as nib
import numpy as np

# a voxel is so large that few of them have the extent of a head
AFFINE = np.array([[0, 0, 4.5, -20], [-6, 0, 0, 30], [0, 5, 0, 1.25], [0, 0, 0, 1]], dtype=float)
VALUES = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)


def save(path, values=VALUES, image=nib.Nifti1Image, affine=AFFINE):
    nib.save(image(values, affine), path)
    return path


def unpacked(path):
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix.lower() in (".gz", ".mgz") else content


def store(path, content):
    """Write what `unpacked` shall give, with a right checksum."""
    packed = path.suffix.lower() in (".gz", ".mgz")
    path.write_bytes(gzip.compress(bytes(content), 1) if packed else bytes(content))
    return path


def set_fields(path, **fields):
    """Change fields of a NIfTI-1 header in place; nothing checks or repairs them."""
    content = unpacked(path)
    header = nib.Nifti1Header(content[:348], endianness="<", check=False)
    for name, value in fields.items():
        header[name] = value
    return store(path, header.binaryblock + content[348:])


def flip(path, place):
    """Invert one byte of the file as it is: the n-th, or the one after a share of them."""
    content = bytearray(path.read_bytes())
    content[int(place * len(content)) if isinstance(place, float) else place] ^= 0xFF
    path.write_bytes(content)
    return path
