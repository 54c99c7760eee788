"""Less noise, same edges: two ways to denoise a brain."""

import numpy as np
import SimpleITK as sitk


def curvature_flow(
    brain_scan: np.ndarray, *, voxel_sizes_mm: np.ndarray, time_step: float, iterations: int
) -> np.ndarray:
    """Smooth within regions and keep edges, float32 of the same shape.

    Curvature flow with the settings of both public lines of the study that the paper follows for
    denoising (Bengs et al. 2021, section 2.1, "as in [4]": time step 0.125, 3 iterations). Derivatives are
    taken in mm, so that a coarser grid is not smoothed over a longer distance.

    Args:
        brain_scan: intensities, 0 outside the brain, shape (X, Y, Z).
        voxel_sizes_mm: edges of a voxel, shape (3,).
        time_step: of the flow, mm²; up to 0.125 it is stable at 1 mm.
        iterations: steps; none leaves the scan as it is.
    """
    if not iterations:
        return brain_scan
    # each iteration looks one voxel further; zeros around the box stand for the empty background
    margin = iterations + 1
    image = sitk.GetImageFromArray(np.pad(brain_scan, margin).astype(np.float32, copy=False))
    image.SetSpacing([float(size) for size in voxel_sizes_mm[::-1]])  # SimpleITK names the last axis first
    flowed = sitk.CurvatureFlow(image, timeStep=time_step, numberOfIterations=iterations)
    return sitk.GetArrayFromImage(flowed)[(slice(margin, -margin),) * 3].astype(np.float32)


def non_local_means(
    brain_scan: np.ndarray, brain: np.ndarray, *, patch_radius_voxels: int, search_radius_voxels: int
) -> np.ndarray:
    """Average over similar patches of the neighbourhood, float32 of the same shape, 0 outside the brain.

    Manjón et al. (2010), "Adaptive non-local means denoising of MR images with spatially varying noise
    levels", J. Magn. Reson. Imaging 31(1), for Rician noise, as ANTs computes it.

    Args:
        brain_scan: intensities, shape (X, Y, Z).
        brain: bool, same shape; nothing outside of it is computed.
        patch_radius_voxels: 1 compares cubes of 3³.
        search_radius_voxels: 2 looks for them within 5³.
    """
    import ants  # noqa: PLC0415  four seconds that only this option pays

    found = ants.denoise_image(
        ants.from_numpy(brain_scan.astype(np.float32)),
        mask=ants.from_numpy(brain.astype(np.float32)),
        p=patch_radius_voxels,
        r=search_radius_voxels,
        noise_model="Rician",
    )
    return np.where(brain, found.numpy(), 0).astype(np.float32)
