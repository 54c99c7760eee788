"""Files of a data set: checked by their header, hashed, and recognised by their intensities."""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from spatial_erasing.images.image_files import Header, read_header, require_whole, whole_chunks
from spatial_erasing.images.volumes import read_volume

SAME_CORRELATION = 0.995  # 255 grey values of one scan correlate with its measured ones by 0.9999
MINIMUM_VOXELS = 10_000  # of fewer the moments say little; a brain at 4 mm has 15,000 or more
ORDERS = 6


class Moments:
    """Power sums of the intensities that differ from the background, that of the first voxel, by pieces."""

    def __init__(self, background: float) -> None:
        self.background = background
        self.sums = np.zeros(ORDERS + 1)

    def add(self, intensities: np.ndarray, counts: np.ndarray | np.uint64) -> None:
        """Count a piece."""
        above = intensities - self.background
        power = (above != 0) * np.float64(counts)
        for order in range(ORDERS + 1):
            self.sums[order] += power.sum()
            power *= above

    def __str__(self) -> str:
        """For a table: how many voxels, then their third to sixth standardised central moment; "" of few.

        E[(x - mean)^k] follows from the sums of x^j by the binomial theorem; divided by the k-th power of the
        standard deviation it is the same for every a x + b, a above 0.
        """
        count = self.sums[0]
        if count < MINIMUM_VOXELS:
            return ""
        from_mean = np.polynomial.Polynomial([-self.sums[1] / count, 1.0])
        powers = [np.asarray((from_mean**order).coef, np.float64) for order in range(2, ORDERS + 1)]
        central = [(power * self.sums[: power.size]).sum() / count for power in powers]
        scaled = [value / central[0] ** (order / 2) for order, value in enumerate(central[1:], start=3)]
        if not np.isfinite(scaled).all():
            return ""
        return " ".join([f"{count:.0f}", *(f"{value:.6g}" for value in scaled)])


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal digits, as `sha256sum` prints it."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def require_listed_content(path: str | Path, sha256: str) -> None:
    """Refuse a file that is another one than was listed; call it once the file has been read."""
    found = sha256_of(Path(path))
    if found != sha256:
        raise ValueError(
            f"{path} has the SHA-256 {found}. Expected {sha256}, with which results/ingest/ lists it: the "
            "file was exchanged since. To list what is there now, add --forcerun list_scans to your command."
        )


def describe_voxels(path: Path) -> tuple[str, str]:
    """A hash of a scan's intensities that are not 0, in whatever order, type or packing, and its `Moments`.

    So a scan is recognised that was packed anew, unpacked, converted, reoriented, or cut or padded in its
    background. Each intensity, as float32, is mixed by splitmix64 (Steele et al. 2014, "Fast splittable
    pseudorandom number generators"), and the sum over all voxels, modulo 2**64, is the hash. A damaged file
    is a ValueError.
    """
    total, header = np.uint64(0), read_header(path)

    def measured(stored: np.ndarray) -> np.ndarray:
        return stored * np.float64(header.slope) + np.float64(header.intercept)

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        numbers = (piece for piece in _stored_numbers(path, header) if piece.size)
        first = next(numbers, np.zeros(1, header.stored_as))
        moments = Moments(measured(first[:1])[0])
        for stored, counts in _counted(chain([first], numbers), header.stored_as):
            intensities = measured(stored)
            moments.add(intensities, counts)
            total += (_mixed(np.asarray(intensities, np.float32)) * counts).sum(dtype=np.uint64)
        return f"{int(total):016x}", str(moments)


def is_linear_change(first: Path, second: Path) -> bool:
    """Whether the voxels of two scans correlate as those of one scan in other units do.

    Both are turned to the same axes, and cut to what is not their background. False where one of them cannot
    be read.
    """
    try:
        one, other = (_signal_box(path) for path in (first, second))
    except (OSError, ValueError):
        return False
    if one.shape != other.shape:
        return False
    signal = (one != 0) & (other != 0)
    return bool(np.corrcoef(one[signal], other[signal])[0, 1] > SAME_CORRELATION)


def _signal_box(path: Path) -> np.ndarray:
    """A scan with a background of 0, turned towards right, anterior and superior, cut to its signal."""
    volume = read_volume(path)
    axes = nib.orientations.io_orientation(volume.affine)
    turned = nib.orientations.apply_orientation(volume.intensities, axes)
    above = turned - turned.flat[0]
    return above[ndimage.find_objects((above != 0).astype(np.uint8))[0]]


def _mixed(intensities: np.ndarray) -> np.ndarray:
    """The bits of float32 numbers, mixed to uint64; 0 stays 0."""
    mixed = (intensities + np.float32(0)).view(np.uint32).astype(np.uint64)  # + 0: -0 is 0 too
    mixed *= np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed ^= mixed >> np.uint64(shift)
        mixed *= np.uint64(factor)
    return mixed ^ mixed >> np.uint64(31)


def _counted(
    pieces: Iterable[np.ndarray], stored_as: np.dtype
) -> Iterable[tuple[np.ndarray, np.ndarray | np.uint64]]:
    """Numbers and how often each occurs; small integers are counted first, which is five times faster."""
    if stored_as.kind == "f" or stored_as.itemsize > 2:
        return ((numbers, np.uint64(1)) for numbers in pieces)
    lowest, counts = np.iinfo(stored_as).min, np.zeros(2**16, np.int64)
    for numbers in pieces:
        counts += np.bincount(numbers.astype(np.int64) - lowest, minlength=counts.size)
    return [(np.arange(counts.size) + lowest, counts.astype(np.uint64))]


def _stored_numbers(path: Path, header: Header) -> Iterator[np.ndarray]:
    """The numbers of an image as they are stored, piece by piece."""
    before_bytes, left_bytes = header.offset_bytes, header.needed_bytes - header.offset_bytes
    cut_off = b""  # the beginning of a number at the end of a piece
    for chunk in whole_chunks(path, header):
        content = cut_off + chunk[before_bytes:]
        before_bytes = max(0, before_bytes - len(chunk))
        usable = min(len(content), left_bytes)
        usable -= usable % header.stored_as.itemsize
        yield np.frombuffer(content[:usable], header.stored_as)
        left_bytes -= usable
        cut_off = content[usable:]


def describe_grid(path: Path) -> str:
    """Shape, spacing and orientation of an image, such as `240x240x155 1.00x1.00x1.00mm LPS`.

    Reads the header alone and compares the file's length with what it promises; raises as `read_header` does.
    """
    header = read_header(path)
    require_whole(path, header)
    size = "x".join(map(str, header.shape))
    spacing = "x".join(f"{width:.2f}" for width in nib.affines.voxel_sizes(header.affine))
    return f"{size} {spacing}mm {''.join(nib.aff2axcodes(header.affine))}"
