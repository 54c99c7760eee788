"""A brain mask that its user gives: which of its voxels are brain, whatever numbers it holds."""

from dataclasses import replace

import numpy as np

from spatial_erasing.images.volumes import Volume
from spatial_erasing.preprocess.lesions import LABELS_AT_MOST, WHOLE_NUMBER, rises_inwards

STEPS = 8  # to which a graded mask is rounded, so that noise inside the brain is no fall
PLATEAU_SHARE = 0.5  # of the voxels in the upper half of the range: so many reach the highest step
MASK_VALUES = 256  # a parcellation has fewer labels, a scan as a rule more intensities


def label_brain_mask(mask: Volume) -> Volume:
    """The mask as 0 and 1: every label counts, of a graded mask the upper half of its range.

    A graded mask, such as a probability or one that was resampled and stored from 0 to 255, rises from its
    rim to a plateau inside. A parcellation does not, and neither does a brain without its skull, which people
    give as its own mask: of both all that is above 0 is brain.

    Args:
        mask: as read.
    """
    values, said = mask.intensities, list[str]()
    positive = values[values > 0]
    largest = float(np.percentile(positive, 99)) if positive.size else 0.0  # one hot voxel is no range
    is_whole = not (np.abs(positive - positive.round()) > WHOLE_NUMBER).any()
    level = min(0.5, largest / 2)
    if not (is_whole and largest <= LABELS_AT_MOST) and (positive != positive[0]).any():
        if _is_graded(np.ceil(np.clip(STEPS * values / largest, 0, STEPS))):
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


def _is_graded(steps: np.ndarray) -> bool:
    """Whether a mask of whole steps is a matter of degree."""
    upper = steps > STEPS / 2
    return (steps[upper] == STEPS).mean() > PLATEAU_SHARE and rises_inwards(steps)
