"""Which test subjects have a small, a middle or a large lesion."""

import numpy as np

SIZES = ("small", "middle", "large")


def size_groups(lesion_voxels: np.ndarray, *, percentiles: tuple[float, float]) -> dict[str, np.ndarray]:
    """Divide the subjects of a test set by the size of their lesion.

    The two borders are percentiles of the sizes in this test set; they stay when its subjects are resampled.
    A subject whose lesion vanished on the grid is in no group.

    Args:
        lesion_voxels: lesion voxels of each subject, shape (subjects,).
        percentiles: small is at most the first, large is above the second.

    Returns:
        "small", "middle" and "large" to a bool array, shape (subjects,).
    """
    has_lesion = lesion_voxels > 0
    if not has_lesion.any():
        return dict.fromkeys(SIZES, has_lesion)
    lower, upper = np.percentile(lesion_voxels[has_lesion], percentiles)
    is_small, is_large = has_lesion & (lesion_voxels <= lower), lesion_voxels > upper
    return {"small": is_small, "middle": has_lesion & ~is_small & ~is_large, "large": is_large}
