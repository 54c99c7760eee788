"""A lesion shape in a real scan: mapped, softened at its edge, darkened like an old stroke."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from spatial_erasing.preprocess.geometry import bounding_box

EDGE_MM = 1.0  # sigma of the blending between lesion and tissue
RIM_MM = 3.0  # width of the transition from scar at the border to cavity
VARIATION_MM = 4.0  # size of the patches by which that width varies
GRAIN_SHARE = 0.06  # noise in the lesion, as a fraction of the difference of CSF and grey matter

Box = tuple[slice, ...]


@dataclass(frozen=True)
class Tissues:
    """The signal of the three tissues in one T1 scan, in its own unit."""

    csf: float
    grey: float
    white: float


@dataclass(frozen=True)
class StrokeLook:
    """The T1 appearance of one old stroke, independent of its shape.

    Args:
        cavity, rim: signal deep inside and at the border, between CSF (0) and grey matter (1).
        texture_seed: of its patches and its grain.
    """

    cavity: float
    rim: float
    texture_seed: int


def tissue_signal(brain_values: np.ndarray) -> Tissues:
    """CSF, grey and white matter of a T1 scan, as the means of a mixture of three Gaussians.

    Expectation maximisation on a histogram of 256 bins. It needs no atlas and takes milliseconds;
    partial-volume voxels count as the most similar tissue.

    Args:
        brain_values: intensities inside the brain, one axis, any unit.

    Raises:
        ValueError: the three means are not in rising order.
    """
    lowest, highest = np.percentile(brain_values, (0.5, 99.5))
    counts, edges = np.histogram(brain_values, bins=256, range=(lowest, highest))
    centres = (edges[:-1] + edges[1:]) / 2
    means = np.percentile(brain_values, (1, 40, 80))
    # a narrow initial CSF class does not absorb dark grey matter; CSF is rare in a tightly stripped brain
    deviations = (highest - lowest) * np.array([1 / 20, 1 / 8, 1 / 8])
    shares = np.array([0.1, 0.5, 0.4])
    for _ in range(300):
        density = shares / deviations * np.exp(-0.5 * ((centres[:, None] - means) / deviations) ** 2)
        weights = counts[:, None] * density / density.sum(axis=1, keepdims=True).clip(1e-300)
        total = weights.sum(axis=0).clip(1e-9)
        means = (weights * centres[:, None]).sum(axis=0) / total
        spread = (weights * (centres[:, None] - means) ** 2).sum(axis=0) / total
        deviations = np.sqrt(spread).clip((highest - lowest) / 256)
        shares = total / total.sum()
    if not means[0] < means[1] < means[2]:
        raise ValueError(
            f"the means of CSF, grey and white matter are {means.round(1).tolist()}; expected rising values "
            f"in a T1 scan. Check the scan and its brain mask, or exclude this subject."
        )
    return Tissues(*means.tolist())


def carry_mask(
    mask: np.ndarray,
    *,
    mask_affine: np.ndarray,
    grid: tuple[int, ...],
    affine: np.ndarray,
    to_mask_mm: np.ndarray,
) -> np.ndarray:
    """The mask on another voxel grid by nearest neighbour, bool, shape `grid`; False outside the mask's grid.

    Args:
        mask: bool.
        mask_affine: voxel indices of the mask to its world in mm, shape (4, 4).
        grid: shape of the new voxel grid.
        affine: voxel indices of the new grid to its world in mm.
        to_mask_mm: from the world of the new grid to the world of the mask; the identity if they are the
            same.
    """
    to_voxel = np.linalg.inv(mask_affine) @ to_mask_mm @ affine
    carried = ndimage.affine_transform(
        mask.astype(np.uint8), to_voxel[:3, :3], to_voxel[:3, 3], output_shape=tuple(grid), order=0
    )
    return carried > 0


def lesion_box(lesion: np.ndarray, *, voxel_sizes_mm: np.ndarray, edge_mm: float = EDGE_MM) -> Box:
    """The part of a grid that a lesion changes, with a margin for both Gaussians of its edge."""
    margin = np.ceil(6 * edge_mm / np.asarray(voxel_sizes_mm)).astype(int) + 1
    start, stop = bounding_box(lesion)
    return tuple(
        slice(max(a - m, 0), min(b + m, size))
        for a, b, m, size in zip(start, stop, margin.tolist(), lesion.shape, strict=True)
    )


def blending_weight(
    lesion: np.ndarray, brain: np.ndarray, *, voxel_sizes_mm: np.ndarray, edge_mm: float = EDGE_MM
) -> np.ndarray:
    """Lesion share of each voxel, 0 to 1, float32: a soft edge in tissue, a hard edge at the brain's surface.

    A Gaussian of the lesion divided by a Gaussian of the brain, so voxels outside the brain count neither as
    lesion nor as tissue. Zero beyond three sigma and outside the brain.

    Args:
        lesion, brain: bool, same shape.
        voxel_sizes_mm: along the three axes.
        edge_mm: sigma of the Gaussian.
    """
    sigma_voxels = edge_mm / np.asarray(voxel_sizes_mm)

    def smoothed(mask: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(mask.astype(np.float32), sigma_voxels, truncate=3.0, mode="nearest")

    share = smoothed(lesion & brain) / smoothed(brain).clip(1e-6)
    return np.where(brain, share.clip(0, 1), 0).astype(np.float32)


def draw_look(generator: np.random.Generator) -> StrokeLook:
    """Draw an appearance in the ranges of the synthetic strokes: cavity 5 to 35 %, rim 50 to 90 %."""
    return StrokeLook(
        cavity=float(generator.uniform(0.05, 0.35)),
        rim=float(generator.uniform(0.50, 0.90)),
        texture_seed=int(generator.integers(2**31)),
    )


def stroke_signal(
    look: StrokeLook, lesion: np.ndarray, *, tissues: Tissues, voxel_sizes_mm: np.ndarray
) -> np.ndarray:
    """The signal of an old stroke at every voxel: fluid inside, scar at its border, patches and noise.

    Without the noise all values are between CSF and grey matter.

    Args:
        look: from `draw_look`.
        lesion: bool; depth is the distance from its border, 0 outside.
        tissues: of the scan.
        voxel_sizes_mm: along the three axes.
    """
    generator = np.random.Generator(np.random.PCG64(look.texture_seed))
    sizes_mm = np.asarray(voxel_sizes_mm)
    depth_mm = ndimage.distance_transform_edt(lesion, sampling=sizes_mm)
    patches = ndimage.gaussian_filter(
        generator.standard_normal(lesion.shape, dtype=np.float32), VARIATION_MM / sizes_mm, mode="wrap"
    )
    patches *= RIM_MM / 2 / patches.std().clip(1e-9)
    scar = np.exp(-(depth_mm + patches).clip(0) / RIM_MM)
    place = look.cavity + (look.rim - look.cavity) * scar
    grain = GRAIN_SHARE * generator.standard_normal(lesion.shape, dtype=np.float32)
    return (tissues.csf + (place + grain) * (tissues.grey - tissues.csf)).astype(np.float32)


def darken(scan: np.ndarray, signal: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The scan with voxels brighter than the lesion blended towards it, in the scan's data type and range.

    Old strokes are dark on T1; darker sulci and ventricles within the shape are unchanged. Voxels of weight 0
    keep their exact value.

    Args:
        scan: stored values, any numeric type.
        signal: of the lesion, in the scan's unit.
        weight: 0 to 1.
    """
    original = scan.astype(np.float64)
    darker = original - weight * (original - signal).clip(0)
    if np.issubdtype(scan.dtype, np.integer):
        limits = np.iinfo(scan.dtype)
        darker = np.rint(darker).clip(limits.min, limits.max)
    return np.where(weight > 0, darker.astype(scan.dtype), scan)
