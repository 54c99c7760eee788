"""Intensities of a brain: denoise, then one scale for all scanners."""

import numpy as np
import SimpleITK as sitk


def curvature_flow(brain_scan: np.ndarray, *, time_step: float, iterations: int) -> np.ndarray:
    """Smooth within regions and keep edges, float32 of the same shape.

    Curvature flow with the settings of both public lines of the study that the paper follows for
    denoising (Bengs et al. 2021, section 2.1, "as in [4]": time step 0.125, 3 iterations).
    """
    image = sitk.GetImageFromArray(np.ascontiguousarray(brain_scan, dtype=np.float32))
    return sitk.GetArrayFromImage(
        sitk.CurvatureFlow(image, timeStep=time_step, numberOfIterations=iterations)
    )


def intensity_range(
    scan: np.ndarray, brain: np.ndarray, *, lower_percentile: float, upper_percentile: float
) -> tuple[float, float]:
    """The two percentiles of the brain's intensities.

    Raises:
        ValueError: the brain is of one single intensity.
    """
    low, high = np.percentile(scan[brain], [lower_percentile, upper_percentile])
    if high - low <= 1e-6 * abs(high):  # float32 holds a constant to 1e-7 of itself
        raise ValueError(
            f"the brain's percentiles {lower_percentile:g} and {upper_percentile:g} are both {low:g}; "
            f"a scan has a range of intensities. Look at the file, or leave out this subject."
        )
    return float(low), float(high)


def rescale_to_percentiles(
    scan: np.ndarray, brain: np.ndarray, *, lower_percentile: float, upper_percentile: float
) -> np.ndarray:
    """Map the brain's percentile range to [0, 1], clip, and set the background to 0.

    "Standardization" to intensities from 0 to 1 (Bengs et al. 2021, sections 2.1 and 2.3).

    Args:
        scan: any unit, shape (X, Y, Z).
        brain: bool, same shape.

    Raises:
        ValueError: the brain is of one single intensity.
    """
    low, high = intensity_range(
        scan, brain, lower_percentile=lower_percentile, upper_percentile=upper_percentile
    )
    return np.where(brain, np.clip((scan - low) / (high - low), 0, 1), 0).astype(np.float32)
