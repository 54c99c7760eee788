"""The slow drift of brightness that a receive coil leaves in a scan."""

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk


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
        brain_scan: intensities, shape (X, Y, Z).
        brain: bool, same shape; the field is fitted to it alone.
        voxel_sizes_mm: edges of a voxel, shape (3,).
        shrink_factor: voxels of the grid along an edge of the coarser one.
        iterations: at most, on each level of a B-spline lattice that doubles from level to level.
    """
    spacing = [float(size) for size in voxel_sizes_mm[::-1]]  # SimpleITK names the last axis first
    image = sitk.GetImageFromArray(brain_scan.astype(np.float32, copy=False))
    mask = sitk.GetImageFromArray(brain.astype(np.uint8))
    image.SetSpacing(spacing)
    mask.SetSpacing(spacing)
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations([int(count) for count in iterations])
    shrink = [shrink_factor] * 3
    corrector.Execute(sitk.Shrink(image, shrink), sitk.Shrink(mask, shrink))
    return np.exp(sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(image)))
