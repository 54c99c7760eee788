"""The brain of a head: which voxels are brain."""

import functools

import nibabel as nib
import numpy as np
from scipy import ndimage

METHODS = ("deepbet", "given", "none")


def strip_skull(head: np.ndarray, *, affine: np.ndarray) -> np.ndarray:
    """Brain mask of a whole head by deepbet (Fisch et al. 2024), bool of the head's shape.

    Args:
        head: intensities in canonical RAS order, any unit, shape (X, Y, Z).
        affine: voxel indices to world mm; deepbet needs it for nothing but the axes' order.

    Raises:
        ValueError: deepbet found no brain.
    """
    image = nib.Nifti1Image(head.astype(np.float32), affine)
    try:
        _, mask, _ = _deepbet().run(image)
    except (AssertionError, ValueError, IndexError, RuntimeError) as error:
        raise ValueError(
            f"the skull strip found no brain ({error}). Look at the scan; give a mask of your own "
            f"(skull_strip: given) or leave out this subject."
        ) from error
    return np.asarray(mask.dataobj) > 0


@functools.cache
def _deepbet():
    """The network, loaded once a process."""
    from deepbet.bet import BrainExtraction  # noqa: PLC0415  two seconds that only whole heads pay

    # several workers would otherwise meet on one GPU that none of them has reserved
    return BrainExtraction(no_gpu=True)


def brain_of_stripped_scan(scan: np.ndarray) -> np.ndarray:
    """Brain mask of a scan whose skull is gone: what is positive, largest component, holes filled.

    Resampling rings around the brain in some data sets; what is below 1 % of the 99th percentile of the
    positive values is ringing, not brain.
    """
    positive = scan[scan > 0]
    if positive.size == 0:
        raise ValueError("the scan holds no positive voxel. Look at the file, or leave out this subject.")
    mask = scan > 0.01 * np.percentile(positive, 99)
    return fill_holes(largest_component(mask))


def largest_component(mask: np.ndarray) -> np.ndarray:
    """The largest face-connected component of a mask, bool of the same shape."""
    components, count = ndimage.label(mask)
    if count == 0:
        return np.zeros_like(mask)
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    return components == sizes.argmax()


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """The mask and every 3-D cavity that it encloses."""
    return ndimage.binary_fill_holes(mask)


def require_plausible_brain(brain: np.ndarray, *, voxel_ml: float, range_ml: tuple[float, float]) -> None:
    """Refuse a mask that is nothing or nearly everything.

    Raises:
        ValueError: with the volume found.
    """
    brain_ml = float(brain.sum() * voxel_ml)
    lowest_ml, highest_ml = range_ml
    if not lowest_ml <= brain_ml <= highest_ml:
        raise ValueError(
            f"the brain mask holds {brain_ml:.0f} ml, expected {lowest_ml:g} to {highest_ml:g} ml. "
            f"Look at the scan; give a mask of your own (skull_strip: given), widen "
            f"preprocess.brain_range_ml, or leave out this subject."
        )
