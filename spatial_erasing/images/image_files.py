"""Image files: whole, and with a header that leaves no doubt where each voxel lies. Nibabel parses them."""

import gzip
import math
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import BinaryIO

import nibabel as nib
import numpy as np

from spatial_erasing.paths import require_file, unreadable

CHUNK_BYTES = 1 << 20
NIFTI_NAMES, MGH_NAMES = (".nii", ".nii.gz"), (".mgh", ".mgz")
PACKED = (".gz", ".mgz")  # with gzip, by the end of their names
MOST_UNPACKED = 1032  # bytes that deflate can pack into one (zlib.net, "Maximum Compression Factor")
EXTENT_MM = (15, 500)  # from tiny brains of tests to beyond head and neck; more would take many GB to refuse
LEAST_VOLUME = 0.1  # of a voxel, as a share of the box with its edges: 1 if its axes are at right angles
UNITS = {1: "meter", 3: "micron"}  # of NIfTI's xyzt_units; 2 is mm, and 0, unknown, is read as mm by everyone
NIFTI_KINDS = {348: nib.Nifti1Header, 540: nib.Nifti2Header}  # by their length, which is their first number
MGH_BYTES = 284
CONVERT_AGAIN = "Convert the original scan again (dcm2niix, mri_convert)"
MGH_TAGS_BYTES = 1 << 20  # behind the voxels, FreeSurfer keeps the commands that made the file


@dataclass(frozen=True)
class Header:
    """The shape, place and storage of an image's voxels, as the beginning of its file states them."""

    shape: tuple[int, ...]  # voxels along (i, j, k)
    # maps voxel indices to world coordinates in mm (right, anterior, superior), shape (4, 4)
    affine: np.ndarray
    stored_as: np.dtype  # type and byte order of the stored numbers
    offset_bytes: int  # where they begin in the unpacked file
    spare_bytes: int  # how many may follow them
    slope: float = 1.0  # a stored number times it, plus the intercept, is the intensity
    intercept: float = 0.0  # see slope
    warnings: tuple[str, ...] = ()  # what the user should know, one sentence each

    @property
    def needed_bytes(self) -> int:
        """Length of the unpacked file up to its last voxel."""
        return self.offset_bytes + self.stored_as.itemsize * math.prod(self.shape)


def read_header(path: Path) -> Header:
    """Read the header of a 3-D scan and refuse what leaves its geometry in doubt.

    Raises:
        FileNotFoundError: there is no such file, or a link to nothing.
        PermissionError: its user may not read it; with the command.
        ValueError: it is no NIfTI or MGH file of one volume of plain numbers, its place in the world is not
            certain, or it promises more voxels than the file can hold.
    """
    require_file(path)
    name = path.name.lower()
    if name.endswith(NIFTI_NAMES):
        header = _read_nifti(path)
    elif name.endswith(MGH_NAMES):
        header = _read_mgh(path)
    else:
        raise unreadable(path, "its name ends like that of another format")
    held_bytes = path.stat().st_size
    if path.suffix.lower() in PACKED and held_bytes * MOST_UNPACKED < header.needed_bytes:
        promised = f"its header promises {header.needed_bytes} bytes"
        raise unreadable(path, f"{promised}, more than {held_bytes} bytes of gzip can hold")
    return header


def whole_chunks(path: Path, header: Header) -> Iterator[bytes]:
    """The unpacked content piece by piece, to its end; refused if it is damaged or of another length.

    Reading stops beyond the length that the header allows, whatever a gzip bomb still holds.
    """
    held_bytes = 0
    with _understood(path), _opened(path) as stream:
        while held_bytes <= header.needed_bytes + header.spare_bytes and (chunk := stream.read(CHUNK_BYTES)):
            held_bytes += len(chunk)
            yield chunk
    _require_length(path, held_bytes, header)


def require_whole(path: Path, header: Header) -> None:
    """Refuse a file of another length; gzip is unpacked only if its trailer states no fitting one."""
    if path.suffix.lower() not in PACKED:
        _require_length(path, path.stat().st_size, header)
        return
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 4))
        stated_bytes = int.from_bytes(stream.read(4), "little")  # modulo 2³²
    if (stated_bytes - header.needed_bytes) % 2**32 > header.spare_bytes:
        deque(whole_chunks(path, header), maxlen=0)


def require_place(shape: tuple[int, ...], affine: np.ndarray, path: Path) -> None:
    """Refuse an affine that gives a voxel no volume or no place, or the image another size than a head's."""
    sizes_mm = nib.affines.voxel_sizes(affine)
    is_finite = np.isfinite(affine).all()
    if not (is_finite and abs(np.linalg.det(affine[:3, :3])) > LEAST_VOLUME * sizes_mm.prod()):
        raise _unusable(path, str(affine.tolist()))
    extent_mm = np.array(shape) * sizes_mm
    if not (extent_mm.min() >= EXTENT_MM[0] and extent_mm.max() <= EXTENT_MM[1]):
        raise ValueError(
            f"{path} spans {_by(extent_mm)} mm. Expected {EXTENT_MM[0]} to {EXTENT_MM[1]} mm along each "
            "axis. Restore the voxel sizes in its header, in mm, from the original scan."
        )


def _read_nifti(path: Path) -> Header:
    """NIfTI-1 or NIfTI-2 in a single file."""
    parsed, sizes = _parse_nifti(path)
    shape, stored_as = _require_scan(parsed, path)
    if unit := UNITS.get(int(parsed["xyzt_units"]) & 7):  # programs differ in whether they convert it
        raise ValueError(
            f"{path} has voxel sizes of {_by(sizes)} in the unit {unit}. Expected mm. "
            "Convert sizes, offsets and affine to mm, and set xyzt_units to 2."
        )
    affine, warnings = _nifti_affine(parsed, sizes, path)
    require_place(shape, affine, path)
    with _understood(path):
        # 0 is written by some tools and means what follows the header, also for nibabel
        offset_bytes = int(parsed.get_data_offset()) or parsed.single_vox_offset
        slope, intercept = parsed.get_slope_inter()
    if np.isinf(parsed["scl_slope"]):  # NaN is how nibabel writes that there is none
        raise unreadable(path, f"its scl_slope, {float(parsed['scl_slope'])}, can scale no number")
    # a whole plane more would mean that one axis is longer than the header says
    spare_bytes = stored_as.itemsize * shape[0] * shape[1] - 1
    scaling = {} if slope is None else {"slope": slope, "intercept": intercept}
    return Header(shape, affine, stored_as, offset_bytes, spare_bytes, warnings=tuple(warnings), **scaling)


def _parse_nifti(path: Path) -> tuple[nib.Nifti1Header, np.ndarray]:
    """The header with nibabel's repairs, and its voxel sizes before them: negative ones become positive."""
    with _understood(path), _opened(path) as stream:
        head = stream.read(max(NIFTI_KINDS))
    for endianness in ("little", "big"):
        size = int.from_bytes(head[:4], endianness)
        if size in NIFTI_KINDS and len(head) >= size:
            parsed = NIFTI_KINDS[size](head[:size], endianness=endianness, check=False)
            stored_sizes = parsed["pixdim"][1:4].copy()
            with _understood(path):
                parsed.check_fix()
            if bytes(parsed["magic"])[:2] != b"n+":  # numpy drops the zeros behind it
                raise unreadable(path, "its voxels lie in another file, as those of an .hdr do")
            return parsed, stored_sizes
    raise unreadable(path, f"it begins with {head[:8]!r}, which is no NIfTI header")


def _read_mgh(path: Path) -> Header:
    """FreeSurfer's format; what it keeps behind the voxels says nothing about where they lie."""
    with _understood(path), _opened(path) as stream:
        head = stream.read(MGH_BYTES)
        parsed = nib.freesurfer.mghformat.MGHHeader(head)
    shape, stored_as = _require_scan(parsed, path)
    if int.from_bytes(head[28:30], "big", signed=True) <= 0:  # nibabel sets goodRASFlag when it makes one up
        raise _without_affine(path, "its goodRASFlag is 0")
    affine = np.asarray(parsed.get_affine(), dtype=np.float64)
    require_place(shape, affine, path)
    return Header(shape, affine, stored_as, MGH_BYTES, MGH_TAGS_BYTES)


def _require_scan(parsed: nib.spatialimages.SpatialHeader, path: Path) -> tuple[tuple[int, ...], np.dtype]:
    """The three axes and the type of a grey-value image; a series of one volume is a scan."""
    with _understood(path):
        shape = tuple(map(int, parsed.get_data_shape()))  # products of MGH's int32 would overflow
        stored_as = parsed.get_data_dtype()
    if len(shape) < 3 or min(shape[:3]) < 2 or any(size != 1 for size in shape[3:]):
        raise ValueError(
            f"{path} has shape {shape}; a scan has three axes of at least 2 voxels. "
            "Write one volume of it to a file."
        )
    if stored_as.kind not in "iuf":
        raise ValueError(
            f"{path} stores {stored_as}, not plain numbers. Expected integers or floating-point numbers. "
            "Write it as grey values."
        )
    return shape[:3], stored_as


def _nifti_affine(parsed: nib.Nifti1Header, sizes: np.ndarray, path: Path) -> tuple[np.ndarray, list[str]]:
    """The sform if there is one, else the qform, as nibabel chooses, and a warning where they disagree."""
    are_positive = bool((sizes > 0).all())
    qform = None
    if parsed["qform_code"] > 0 and are_positive:
        with suppress(ValueError, nib.spatialimages.HeaderDataError):  # its quaternion may be no rotation
            qform = parsed.get_qform()
    if parsed["sform_code"] > 0:
        sform = parsed.get_sform()
        return sform, [] if qform is None else _disagreement(sform, qform, parsed.get_data_shape()[:3], path)
    if parsed["qform_code"] <= 0:
        raise _without_affine(path, "sform_code and qform_code are 0")
    if not are_positive:
        raise ValueError(
            f"{path} has voxel sizes of {_by(sizes)} mm. Expected positive ones: its affine is computed from "
            f"them, and programs differ in what a negative one means. {CONVERT_AGAIN}."
        )
    if qform is None:
        raise _unusable(path, f"quaternion {[float(parsed[f'quatern_{axis}']) for axis in 'bcd']}")
    return qform, []


def _disagreement(sform: np.ndarray, qform: np.ndarray, shape: tuple[int, ...], path: Path) -> list[str]:
    """A warning if some voxel lies elsewhere by the two; both are linear, so a corner is the farthest."""
    corners = np.array(list(product(*[(0, size - 1) for size in shape])))
    apart_mm = np.linalg.norm(nib.affines.apply_affine(sform - qform, corners), axis=1).max()
    # a qform with an infinite or missing number says nothing, and a sform with one is refused
    if not max(1.0, nib.affines.voxel_sizes(sform).max() / 2) < apart_mm < np.inf:
        return []
    return [
        f"{path}: sform and qform of its header place the same voxel up to {apart_mm:.1f} mm apart; the "
        "sform is used, as nibabel, FSL and FreeSurfer do, so look at the quality page for a wrong "
        "orientation or a lesion that is off."
    ]


@contextmanager
def _understood(path: Path) -> Iterator[None]:
    """Nibabel, gzip and zlib raise a dozen unrelated types for a broken file; here they become one."""
    try:
        yield
    except MemoryError:
        raise  # to fetch the file again would not help
    except EOFError as error:
        raise unreadable(path, "it ends in the middle of its gzip content") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise unreadable(path, f"its gzip content is damaged: {error}") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise unreadable(path, f"{type(error).__name__}: {error}") from error


def _opened(path: Path) -> gzip.GzipFile | BinaryIO:
    """The unpacked content as a stream."""
    return gzip.open(path) if path.suffix.lower() in PACKED else path.open("rb")


def _require_length(path: Path, held_bytes: int, header: Header) -> None:
    """Refuse a file that ends before its last voxel, or so far behind it that its header must be wrong."""
    promised = f"the {header.needed_bytes} bytes that its header promises"
    if held_bytes < header.needed_bytes:
        raise unreadable(path, f"it ends early: {held_bytes} of {promised}")
    if held_bytes > header.needed_bytes + header.spare_bytes:
        raise unreadable(path, f"it goes on after {promised}")


def _unusable(path: Path, found: str) -> ValueError:
    """The error of a file whose geometry is stored, but cannot be right."""
    return ValueError(
        f"{path} has no usable affine: {found}. Expected one that gives every voxel a place and a volume. "
        "Restore its header from the original scan."
    )


def _without_affine(path: Path, found: str) -> ValueError:
    """The error of a file whose geometry was never stored, or was lost."""
    return ValueError(
        f"{path} has no affine ({found}), so nothing tells left from right. Expected a header with an sform "
        f"or qform. {CONVERT_AGAIN}, or copy the header of a scan that has the same voxels."
    )


def _by(lengths: np.ndarray) -> str:
    """Three numbers as people write them: 1 x 1 x 2.5."""
    return " x ".join(f"{length:.3g}" for length in lengths)
