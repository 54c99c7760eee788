"""Intensities of a brain: corrected, denoised, and scaled so that they lie between 0 and 1."""

from collections.abc import Sequence
from types import ModuleType

import numpy as np
import SimpleITK as sitk

from spatial_erasing.images.grids import Grid
from spatial_erasing.preprocess.settings import BrainSettings


def scale_brain(
    intensities: np.ndarray, brain: np.ndarray, grid: Grid, *, volume_voxels: int, settings: BrainSettings
) -> tuple[np.ndarray, dict[str, float]]:
    """Masked, corrected, denoised and scaled intensities in [0, 1], and the range that scaled them.

    Args:
        intensities: any unit, in the box around the brain.
        volume_voxels: of the whole volume that the box was cut from.

    Raises:
        ValueError: the brain has no range of intensities, or not the one that it was said to have.
    """
    masked = np.where(brain, np.clip(intensities, 0, None), 0).astype(np.float32, copy=False)
    # denoising rounds off the rim even of a constant scan, which would then seem to have a range
    intensity_range(masked[brain], **settings.percentiles)
    if settings.bias_field != "none":
        masked = masked / bias_field(
            masked,
            brain,
            voxel_sizes_mm=grid.voxel_sizes_mm,
            shrink_factor=settings.n4_shrink_factor,
            iterations=settings.n4_iterations,
        )
    masked = denoise(masked, brain, grid, settings=settings)
    values = masked[brain]
    if settings.percentiles_of == "none":
        require_unit_range(values)
        low, high = 0.0, 1.0
    elif settings.percentiles_of == "volume":
        # of the whole stripped volume, as Baur et al. (2021), the paper's reference [4]: 0 and 99.8
        background = np.zeros(max(volume_voxels - values.size, 0), dtype=masked.dtype)
        low, high = intensity_range(np.concatenate([values, background]), **settings.percentiles)
    else:
        low, high = intensity_range(values, **settings.percentiles)
    found = {"lower_intensity": low, "median_intensity": float(np.median(values)), "upper_intensity": high}
    return rescale(masked, brain, low=low, high=high), found


def denoise(masked: np.ndarray, brain: np.ndarray, grid: Grid, *, settings: BrainSettings) -> np.ndarray:
    """The brain with less noise, or as it is; 0 or more, as before."""
    if settings.denoise == "none":
        return masked
    if settings.denoise == "non_local_means":
        patch, search = settings.denoise_patch_voxels, settings.denoise_search_voxels
        return non_local_means(masked, brain, patch_radius_voxels=patch, search_radius_voxels=search).clip(0)
    return curvature_flow(
        masked,
        voxel_sizes_mm=grid.voxel_sizes_mm,
        time_step=settings.denoise_time_step,
        iterations=settings.denoise_iterations,
    )


def intensity_range(
    values: np.ndarray, *, lower_percentile: float, upper_percentile: float
) -> tuple[float, float]:
    """The two percentiles of a brain's intensities, refused if they are equal."""
    low, high = np.percentile(values, [lower_percentile, upper_percentile])
    if high - low <= 1e-6 * abs(high):  # float32 holds a constant to 1e-7 of itself
        raise ValueError(
            f"the brain's percentiles {lower_percentile:g} and {upper_percentile:g} are both {low:g}; "
            f"a scan has a range of intensities. Look at the file, or leave out this subject."
        )
    return float(low), float(high)


def rescale(scan: np.ndarray, brain: np.ndarray, *, low: float, high: float) -> np.ndarray:
    """Map `low` to 0 and `high` to 1, clip, and set the background to 0; float32.

    "Standardization" to intensities from 0 to 1 (Bengs et al. 2021, sections 2.1 and 2.3).
    """
    return np.where(brain, np.clip((scan - low) / (high - low), 0, 1), 0).astype(np.float32, copy=False)


def require_unit_range(values: np.ndarray) -> None:
    """Refuse a brain's intensities that were said to lie in [0, 1] already and do not."""
    low, high = float(values.min()), float(values.max())
    if low < -0.01 or high > 1.01 or high < 0.5:
        raise ValueError(
            f"the brain's intensities reach from {low:.3g} to {high:.3g}, but preprocess.percentiles_of is "
            f"none, which expects them from 0 to 1 already. Set it to brain, or scale the scan."
        )


def bias_field(
    brain_scan: np.ndarray,
    brain: np.ndarray,
    *,
    voxel_sizes_mm: np.ndarray,
    shrink_factor: int,
    iterations: Sequence[int],
) -> np.ndarray:
    """The multiplicative field by which the scan is to be divided, float32 of the same shape.

    N4: Tustison et al. (2010), "N4ITK: improved N3 bias correction", IEEE Trans. Med. Imaging 29(6). It is
    estimated on a coarser grid, since it varies over centimetres, and evaluated on the scan's.

    Args:
        brain: bool, same shape; the field is fitted to it alone.
        shrink_factor: voxels of the grid along an edge of the coarser one.
        iterations: at most, on each level of a B-spline lattice that doubles from level to level.
    """
    image = _image(brain_scan.astype(np.float32, copy=False), voxel_sizes_mm)
    mask = _image(brain.astype(np.uint8), voxel_sizes_mm)
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations([int(count) for count in iterations])
    shrink = [shrink_factor] * 3
    corrector.Execute(sitk.Shrink(image, shrink), sitk.Shrink(mask, shrink))
    return np.exp(sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(image)))


def curvature_flow(
    brain_scan: np.ndarray, *, voxel_sizes_mm: np.ndarray, time_step: float, iterations: int
) -> np.ndarray:
    """Smooth within regions and keep edges, float32 of the same shape.

    Curvature flow with the settings of both public lines of the study that the paper follows for
    denoising (Bengs et al. 2021, section 2.1, "as in [4]": time step 0.125, 3 iterations). Derivatives are
    taken in mm, so that a coarser grid is not smoothed over a longer distance.

    Args:
        time_step: of the flow, mm²; up to 0.125 it is stable at 1 mm.
    """
    if not iterations:
        return brain_scan
    # each iteration looks one voxel further; zeros around the box stand for the empty background
    margin = iterations + 1
    image = _image(np.pad(brain_scan, margin).astype(np.float32, copy=False), voxel_sizes_mm)
    flowed = sitk.CurvatureFlow(image, timeStep=time_step, numberOfIterations=iterations)
    return sitk.GetArrayFromImage(flowed)[(slice(margin, -margin),) * 3].astype(np.float32)


def _image(array: np.ndarray, voxel_sizes_mm: np.ndarray) -> sitk.Image:
    """The array with its spacing; SimpleITK names the last axis first."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(size) for size in voxel_sizes_mm[::-1]])
    return image


def non_local_means(
    brain_scan: np.ndarray, brain: np.ndarray, *, patch_radius_voxels: int, search_radius_voxels: int
) -> np.ndarray:
    """Average over similar patches of the neighbourhood, float32 of the same shape, 0 outside the brain.

    Manjón et al. (2010), "Adaptive non-local means denoising of MR images with spatially varying noise
    levels", J. Magn. Reson. Imaging 31(1), for Rician noise, as ANTs computes it.

    Args:
        patch_radius_voxels: 1 compares cubes of 3³.
        search_radius_voxels: 2 looks for them within 5³.
    """
    ants = ants_on_one_thread()
    found = ants.denoise_image(
        ants.from_numpy(brain_scan.astype(np.float32)),
        mask=ants.from_numpy(brain.astype(np.float32)),
        p=patch_radius_voxels,
        r=search_radius_voxels,
        noise_model="Rician",
    )
    return np.where(brain, found.numpy(), 0).astype(np.float32)


def ants_on_one_thread() -> ModuleType:
    """The library ANTs, for the same results each time: ITK keeps the number of threads of its first use."""
    import ants  # noqa: PLC0415  four seconds that only two options pay

    ants.config.set_ants_deterministic(on=True, seed_value=1)
    return ants
