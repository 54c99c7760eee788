"""Headers of images: where each voxel lies, and a refusal of what would leave that in doubt."""

import math
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np

from spatial_erasing.images.image_files import (
    first_bytes,
    require_file,
    require_possible,
    understood,
    unreadable,
)

EXTENT_MM = (15, 500)  # from tiny brains of tests to beyond head and neck; more would take many GB to refuse
LEAST_VOLUME = 0.1  # of a voxel, as a share of the box with its edges: 1 if its axes are at right angles
UNITS = {1: "meter", 3: "micron"}  # of NIfTI's xyzt_units; 2 is mm, and 0, unknown, is read as mm by everyone
NIFTI_KINDS = {348: nib.Nifti1Header, 540: nib.Nifti2Header}  # by their length, which is their first number
NIFTI_NAMES, MGH_NAMES = (".nii", ".nii.gz"), (".mgh", ".mgz")
MGH_OFFSET_BYTES = 284
MGH_TAGS_BYTES = 1 << 20  # behind the voxels, FreeSurfer keeps the commands that made the file


@dataclass(frozen=True)
class Header:
    """What the beginning of an image file says about its voxels.

    Args:
        shape: voxels along (i, j, k).
        affine: maps voxel indices to world coordinates in mm (right, anterior, superior), shape (4, 4).
        stored_as: type and byte order of the stored numbers.
        offset_bytes: where they begin in the unpacked file.
        spare_bytes: how many may follow them.
        slope: a stored number times it, plus the intercept, is the intensity.
        intercept: see slope.
        warnings: what the user should know, one sentence each.
    """

    shape: tuple[int, ...]
    affine: np.ndarray
    stored_as: np.dtype
    offset_bytes: int
    spare_bytes: int
    slope: float = 1.0
    intercept: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def needed_bytes(self) -> int:
        """Length of the unpacked file up to its last voxel."""
        return self.offset_bytes + self.stored_as.itemsize * math.prod(self.shape)


def read_header(path: Path) -> Header:
    """Read the header of a 3-D scan and refuse what leaves its geometry in doubt.

    Raises:
        FileNotFoundError: there is no such file, or a link to nothing.
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
    require_possible(path, header.needed_bytes)
    return header


def require_plausible_extent(shape: tuple[int, ...], affine: np.ndarray, path: Path) -> None:
    """Refuse a volume that is too small or too large for a head.

    Raises:
        ValueError: with its length along each axis.
    """
    extent_mm = np.array(shape[:3]) * nib.affines.voxel_sizes(affine)
    if not (extent_mm.min() >= EXTENT_MM[0] and extent_mm.max() <= EXTENT_MM[1]):
        raise ValueError(
            f"{path} spans {_by(extent_mm)} mm. Expected {EXTENT_MM[0]} to {EXTENT_MM[1]} mm along each "
            "axis. Restore the voxel sizes in its header, in mm, from the original scan."
        )


def _read_nifti(path: Path) -> Header:
    """NIfTI-1 or NIfTI-2 in a single file."""
    stored, header = _parse_nifti(path)
    with understood(path):
        stored_shape, stored_as = header.get_data_shape(), header.get_data_dtype()
        # 0 is written by some tools and means what follows the header, also for nibabel
        offset_bytes = int(header.get_data_offset()) or header.single_vox_offset
        slope, intercept = header.get_slope_inter()
    if np.isinf(stored["scl_slope"]):  # NaN is how nibabel writes that there is none
        raise unreadable(path, f"its scl_slope, {float(stored['scl_slope'])}, can scale no number")
    shape = _require_scan(stored_shape, stored_as, path)
    _require_mm(stored, path)
    affine, warnings = _nifti_affine(stored, header, path)
    _require_usable(affine, path)
    require_plausible_extent(shape, affine, path)
    return Header(
        shape,
        affine,
        stored_as,
        offset_bytes,
        # a whole plane more would mean that one axis is longer than the header says
        spare_bytes=stored_as.itemsize * shape[0] * shape[1] - 1,
        slope=1.0 if slope is None else float(slope),
        intercept=0.0 if intercept is None else float(intercept),
        warnings=warnings,
    )


def _parse_nifti(path: Path) -> tuple[nib.Nifti1Header, nib.Nifti1Header]:
    """The header as it is stored, and as nibabel reads it after its repairs."""
    head = first_bytes(path, max(NIFTI_KINDS))
    for endianness in ("<", ">"):
        size = int(np.frombuffer(head[:4].ljust(4, b"\0"), f"{endianness}u4")[0])
        if size in NIFTI_KINDS and len(head) >= size:
            with understood(path):
                stored = NIFTI_KINDS[size](head[:size], endianness=endianness, check=False)
                header = NIFTI_KINDS[size](head[:size], endianness=endianness, check=True)
            if bytes(stored["magic"])[:2] != b"n+":  # numpy drops the zeros behind it
                raise unreadable(path, "its voxels lie in another file, as those of an .hdr do")
            return stored, header
    raise unreadable(path, f"it begins with {head[:8]!r}, which is no NIfTI header")


def _read_mgh(path: Path) -> Header:
    """FreeSurfer's format; what it keeps behind the voxels says nothing about where they lie."""
    head = first_bytes(path, MGH_OFFSET_BYTES)
    if len(head) < MGH_OFFSET_BYTES:
        raise unreadable(path, f"it ends within its header, after {len(head)} bytes")
    with understood(path):
        header = nib.freesurfer.mghformat.MGHHeader(head)
        stored_shape, stored_as = header.get_data_shape(), header.get_data_dtype()
    shape = _require_scan(stored_shape, stored_as, path)
    if int.from_bytes(head[28:30], "big", signed=True) <= 0:  # nibabel sets goodRASFlag when it makes one up
        raise _without_place(path, "its goodRASFlag is 0")
    with understood(path):
        affine = np.asarray(header.get_affine(), dtype=np.float64)
    _require_usable(affine, path)
    require_plausible_extent(shape, affine, path)
    return Header(shape, affine, stored_as, MGH_OFFSET_BYTES, spare_bytes=MGH_TAGS_BYTES)


def _require_scan(stored_shape: tuple[int, ...], stored_as: np.dtype, path: Path) -> tuple[int, ...]:
    """The three axes of a grey-value image; a series of one volume is a scan, anything else is not."""
    shape = tuple(map(int, stored_shape))  # products of MGH's int32 would overflow
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
    return shape[:3]


def _require_mm(stored: nib.Nifti1Header, path: Path) -> None:
    """Refuse lengths in another unit: programs differ in whether they convert them, and nibabel does not."""
    unit = UNITS.get(int(stored["xyzt_units"]) & 7)
    if unit:
        raise ValueError(
            f"{path} has voxel sizes of {_by(stored['pixdim'][1:4])} in the unit {unit}. Expected mm. "
            "Convert sizes, offsets and affine to mm, and set xyzt_units to 2."
        )


def _nifti_affine(
    stored: nib.Nifti1Header, header: nib.Nifti1Header, path: Path
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The sform if there is one, else the qform, as nibabel chooses, and a warning where they disagree."""
    qform = _qform(stored, header)
    if header["sform_code"] > 0:
        sform = header.get_sform()
        return sform, () if qform is None else _disagreement(sform, qform, header.get_data_shape()[:3], path)
    if header["qform_code"] <= 0:
        raise _without_place(path, "sform_code and qform_code are 0")
    if not (stored["pixdim"][1:4] > 0).all():
        raise ValueError(
            f"{path} has voxel sizes of {_by(stored['pixdim'][1:4])} mm. Expected positive ones: its affine "
            "is computed from them, and programs differ in what a negative one means. Convert the original "
            "scan again (dcm2niix, mri_convert)."
        )
    if qform is None:
        raise _without_use(path, f"quaternion {[float(stored[f'quatern_{axis}']) for axis in 'bcd']}")
    return qform, ()


def _qform(stored: nib.Nifti1Header, header: nib.Nifti1Header) -> np.ndarray | None:
    """The affine of the qform, or None if it has none, or one that is no rotation of positive sizes."""
    if header["qform_code"] <= 0 or not (stored["pixdim"][1:4] > 0).all():
        return None
    try:
        qform = header.get_qform()
    except (ValueError, nib.spatialimages.HeaderDataError):
        return None
    return qform if np.isfinite(qform).all() else None


def _disagreement(
    sform: np.ndarray, qform: np.ndarray, shape: tuple[int, ...], path: Path
) -> tuple[str, ...]:
    """A warning if some voxel lies elsewhere by the two; both are linear, so a corner is the farthest."""
    corners = np.array(list(product(*[(0, size - 1) for size in shape])))
    apart_mm = np.linalg.norm(
        nib.affines.apply_affine(sform, corners) - nib.affines.apply_affine(qform, corners), axis=1
    ).max()
    if not apart_mm > max(1.0, nib.affines.voxel_sizes(sform).max() / 2):
        return ()
    return (
        f"{path}: sform and qform of its header place the same voxel up to {apart_mm:.1f} mm apart; the "
        "sform is used, as nibabel, FSL and FreeSurfer do, so look at the quality page for a wrong "
        "orientation or a lesion that is off.",
    )


def _require_usable(affine: np.ndarray, path: Path) -> None:
    """Refuse an affine that maps a voxel to no volume or to no place."""
    if np.isfinite(affine).all():
        box = np.prod(nib.affines.voxel_sizes(affine))
        if abs(np.linalg.det(affine[:3, :3])) > LEAST_VOLUME * box:
            return
    raise _without_use(path, str(affine.tolist()))


def _without_use(path: Path, found: str) -> ValueError:
    """The error of a file whose geometry is stored, but cannot be right."""
    return ValueError(
        f"{path} has no usable affine: {found}. Expected one that gives every voxel a place and a volume. "
        "Restore its header from the original scan."
    )


def _without_place(path: Path, found: str) -> ValueError:
    """The error of a file whose geometry was never stored, or was lost."""
    return ValueError(
        f"{path} has no affine ({found}), so nothing tells left from right. Expected a header with an sform "
        "or qform. Convert the original scan again (dcm2niix, mri_convert), or copy the header of a scan "
        "that has the same voxels."
    )


def _by(lengths: np.ndarray) -> str:
    """Three numbers as people write them: 1 x 1 x 2.5."""
    return " x ".join(f"{length:.3g}" for length in lengths)
