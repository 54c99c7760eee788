"""Masks that a data set ships: which voxels are lesion or brain, whatever numbers a file holds."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from spatial_erasing.images.grids import Grid
from spatial_erasing.images.volumes import Volume
from spatial_erasing.preprocess.geometry import box_around
from spatial_erasing.preprocess.resample import resample_to_grid

LARGEST_SHARE = 0.5  # of the brain: a stroke of a whole hemisphere stays below it
LABELS_AT_MOST = 20  # different ones; a mask that was stored from 0 to 255 after smoothing has more
# Numbered lesions hardly touch each other, the steps of a graded mask always do.
GRADED_SHARE = 0.05  # of neighbouring lesion voxels that differ
NESTED_LEVELS = 5  # fewer may be parts of a tumour, one around the other
NESTED_SHARE = 0.9  # of neighbours that differ in depth and value, the deeper one is higher
CORE_SHARE = 0.35  # of the lowest level, with neighbours of that level alone: an oedema has more, a rim less
WHOLE_NUMBER = 1e-3  # how far rounding in a header's slope may move a label
STEPS = 8  # to which a graded mask is rounded, so that noise inside the brain is no fall
PLATEAU_SHARE = 0.5  # of the voxels in the upper half of the range: so many reach the highest step
MASK_VALUES = 256  # a parcellation has fewer labels, a scan as a rule more intensities


def label_lesion(lesion: Volume, *, brain_ml: float) -> Volume:
    """The lesion file as 0 and 1: labels of 1 or more count, of a graded mask the upper half of its range.

    Args:
        brain_ml: volume of the brain, which a graded lesion cannot fill.

    Raises:
        ValueError: a graded file fills more than half of a brain, as a scan does.
    """
    values = lesion.intensities
    positive = values[values > 0]
    largest = float(positive.max(initial=0))
    if largest <= 1.5 or not _is_graded_lesion(values, positive):
        return replace(lesion, intensities=(values > 0.5).astype(np.float32))
    level = largest / 2
    filled_ml = (values > 0.05 * np.percentile(positive, 99)).sum() * lesion.grid.voxel_ml
    require_plausible_lesion(filled_ml, brain_ml, path=lesion.path)
    said = (
        f"{lesion.path} is graded from 0 to {largest:g}: voxels of {level:g} or more count as lesion. "
        f"Store 0 and 1 if you mean others."
    )
    mask = (values >= level).astype(np.float32)
    return replace(lesion, intensities=mask, warnings=(*lesion.warnings, said))


def label_brain_mask(mask: Volume) -> Volume:
    """The mask as 0 and 1: every label counts, of a graded mask the upper half of its range.

    A graded mask, such as a probability or one that was resampled and stored from 0 to 255, rises from its
    rim to a plateau inside. A parcellation does not, and neither does a brain without its skull, which people
    give as its own mask: of both all that is above 0 is brain.
    """
    values, said = mask.intensities, list[str]()
    positive = values[values > 0]
    largest = float(np.percentile(positive, 99)) if positive.size else 0.0  # one hot voxel is no range
    is_whole = not (np.abs(positive - positive.round()) > WHOLE_NUMBER).any()
    level = min(0.5, largest / 2)
    if not (is_whole and largest <= LABELS_AT_MOST) and (positive != positive[0]).any():
        if _is_graded_brain(np.ceil(np.clip(STEPS * values / largest, 0, STEPS))):
            level = largest / 2
            if not 0.9 < largest <= 1.5:  # from 0 to 1 half is what everybody expects
                said = [f"is graded from 0 to {largest:g}: voxels of {level:g} or more count as brain"]
        else:
            level = 0.0
            if not is_whole or len(np.unique(positive)) >= MASK_VALUES:
                said = ["holds intensities as a scan does: every voxel above 0 counts as brain"]
    brain = values >= level if said and level else values > level
    warnings = tuple(f"{mask.path} {words}. Store 0 and 1 if you mean others." for words in said)
    return replace(mask, intensities=brain.astype(np.float32), warnings=(*mask.warnings, *warnings))


def unite_lesions(lesions: list[Volume], grid: Grid, *, brain: np.ndarray) -> np.ndarray:
    """The union of a subject's lesion files on `grid`, bool; every label of 1 or more counts.

    Raises:
        ValueError: no labelled voxel, more than half of the brain, or none inside the brain.
    """
    united = np.zeros(grid.shape, dtype=bool)
    for lesion in lesions:
        labelled = Volume((lesion.intensities > 0.5).astype(np.float32), lesion.affine, lesion.path)
        united |= resample_to_grid(labelled, grid, interpolation="nearest") > 0.5
        lesion_ml, brain_ml = (mask.sum() * grid.voxel_ml for mask in (united, brain))
        require_plausible_lesion(lesion_ml, brain_ml, path=lesion.path)
    if lesions and not (united & brain).any():
        found = "lies wholly outside the brain" if united.any() else "holds no labelled voxel"
        raise ValueError(
            f"{lesions[0].path}: the lesion {found}. Compare it with its scan in a viewer (a wrong affine or "
            f"a failed skull strip are the usual causes), or leave out this subject."
        )
    return united


def require_plausible_lesion(lesion_ml: float, brain_ml: float, *, path: object) -> None:
    """Refuse a lesion that fills more than half of its brain."""
    if lesion_ml > LARGEST_SHARE * brain_ml:
        raise ValueError(
            f"{path}: the lesion holds {lesion_ml:.0f} ml, the brain {brain_ml:.0f} ml; expected at most "
            f"half of it. The file is probably a brain mask, a scan or an inverted mask. Name the lesion's "
            f"own file, with 1 or more inside it and 0 elsewhere, or leave out this subject."
        )


def _is_graded_lesion(values: np.ndarray, positive: np.ndarray) -> bool:
    """Whether a mask with values above 1 is graded: neither labels nor numbered lesions."""
    if (np.abs(positive - positive.round()) > WHOLE_NUMBER).any():
        return True
    levels = len(np.unique(positive.round()))
    if levels <= LABELS_AT_MOST:
        # few tumours have parts with numbers such as 85, 170 and 255
        is_scale = levels >= NESTED_LEVELS or (levels > 1 and positive.max() > LABELS_AT_MOST)
        return is_scale and rises_inwards(values, differing=GRADED_SHARE) and _has_thin_rim(values)
    both = (values[1:] > 0) & (values[:-1] > 0)
    return (values[1:][both] != values[:-1][both]).mean() > GRADED_SHARE if both.any() else False


def rises_inwards(values: np.ndarray, *, differing: float = 0.0) -> bool:
    """Whether a mask rises from its rim to its inside, as a graded one does and labels and scans do not.

    Args:
        differing: the least share of neighbouring voxels of the mask that differ.
    """
    values = np.pad(values[box_around(values > 0)], 1)
    depth = ndimage.distance_transform_edt(values > 0)
    rises, falls, differ, pairs = 0, 0, 0, 0
    for axis in range(3):
        steps, deeper = np.diff(values, axis=axis), np.diff(depth, axis=axis)
        ends = np.moveaxis(values, axis, 0)
        inside = np.moveaxis((ends[1:] > 0) & (ends[:-1] > 0), 0, axis)
        ordered = (steps * deeper)[inside]
        rises, falls = rises + (ordered > 0).sum(), falls + (ordered < 0).sum()
        differ, pairs = differ + (steps[inside] != 0).sum(), pairs + inside.sum()
    return bool(differ > differing * pairs and rises > NESTED_SHARE * (rises + falls))


def _is_graded_brain(steps: np.ndarray) -> bool:
    """Whether a mask of whole steps is a matter of degree."""
    upper = steps > STEPS / 2
    return (steps[upper] == STEPS).mean() > PLATEAU_SHARE and rises_inwards(steps)


def _has_thin_rim(values: np.ndarray) -> bool:
    """Whether the lowest level of a mask is a rim of partial volume, as of a graded one."""
    rim = np.round(values) == np.round(values[values > 0].min())
    return bool(ndimage.binary_erosion(rim).sum() < CORE_SHARE * rim.sum())
