"""A lesion shape in a real scan: carried over, softened at its edge, darkened as an old stroke."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from spatial_erasing.preprocess.downsample import bounding_box

EDGE_MM = 1.0  # sigma of the blending between lesion and tissue
RIM_MM = 3.0  # depth over which the scar at the border gives way to the cavity
VARIATION_MM = 4.0  # size of the patches by which that depth varies
GRAIN_SHARE = 0.06  # noise left in the lesion, of the step from CSF to grey matter

Box = tuple[slice, ...]


@dataclass(frozen=True)
class Tissues:
    """The signal of the three tissues in one T1 scan, in its own unit."""

    csf: float
    grey: float
    white: float


@dataclass(frozen=True)
class StrokeLook:
    """What one old stroke looks like on T1, whatever its shape.

    Args:
        cavity, rim: signal deep inside and at the border, as a place between CSF (0) and grey matter (1).
        texture_seed: of its patches and its grain.
    """

    cavity: float
    rim: float
    texture_seed: int


def tissue_signal(brain_values: np.ndarray) -> Tissues:
    """CSF, grey and white matter of a T1 scan, as the means of a mixture of three Gaussians.

    Expectation maximisation on a histogram of 256 bins. It needs no atlas and takes milliseconds; partial
    volume counts with the tissue that it resembles most.

    Args:
        brain_values: intensities inside the brain, one axis, any unit.

    Raises:
        ValueError: the three do not come out apart and in order.
    """
    lowest, highest = np.percentile(brain_values, (0.5, 99.5))
    counts, edges = np.histogram(brain_values, bins=256, range=(lowest, highest))
    centres = (edges[:-1] + edges[1:]) / 2
    means = np.percentile(brain_values, (1, 40, 80))
    # a narrow start keeps CSF, which is rare in a tightly stripped brain, from swallowing dark grey matter
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
            f"CSF, grey and white matter come out at {means.round(1).tolist()}; a T1 scan has them in rising "
            f"order. Look at the scan and its brain mask, or leave out this subject."
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
    """The mask on another voxel grid by nearest neighbour, bool of shape `grid`; False beyond its reach.

    Args:
        mask: bool.
        mask_affine: voxel indices of the mask to its world in mm, shape (4, 4).
        grid: shape of the new voxel grid.
        affine: voxel indices of the new grid to its world in mm.
        to_mask_mm: points of the new grid's world to the same places in the mask's world; the identity where
            both share one.
    """
    to_voxel = np.linalg.inv(mask_affine) @ to_mask_mm @ affine
    carried = ndimage.affine_transform(
        mask.astype(np.uint8), to_voxel[:3, :3], to_voxel[:3, 3], output_shape=tuple(grid), order=0
    )
    return carried > 0


def lesion_box(lesion: np.ndarray, *, voxel_sizes_mm: np.ndarray, edge_mm: float = EDGE_MM) -> Box:
    """The part of a grid in which a lesion changes anything, with room for both Gaussians of its edge."""
    margin = np.ceil(6 * edge_mm / np.asarray(voxel_sizes_mm)).astype(int) + 1
    start, stop = bounding_box(lesion)
    return tuple(
        slice(max(a - m, 0), min(b + m, size))
        for a, b, m, size in zip(start, stop, margin.tolist(), lesion.shape, strict=True)
    )


def blending_weight(
    lesion: np.ndarray, brain: np.ndarray, *, voxel_sizes_mm: np.ndarray, edge_mm: float = EDGE_MM
) -> np.ndarray:
    """How much of each voxel is lesion, 0 to 1, float32: soft in tissue, whole up to the brain's surface.

    A Gaussian of the lesion over a Gaussian of the brain, so that what lies beyond the brain counts neither
    as lesion nor as tissue. Zero beyond three sigma and outside the brain.

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
    """Draw a look in the ranges of the synthetic strokes: cavity 5 to 35 %, rim 50 to 90 % of the way."""
    return StrokeLook(
        cavity=float(generator.uniform(0.05, 0.35)),
        rim=float(generator.uniform(0.50, 0.90)),
        texture_seed=int(generator.integers(2**31)),
    )


def stroke_signal(
    look: StrokeLook, lesion: np.ndarray, *, tissues: Tissues, voxel_sizes_mm: np.ndarray
) -> np.ndarray:
    """The signal of an old stroke at every voxel: fluid in its depth, scar at its border, patches and grain.

    Between CSF and grey matter everywhere, but for the grain.

    Args:
        look: as drawn.
        lesion: bool; the depth is measured from its border, and within 0 mm beyond it.
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
    """The scan with what is brighter than the lesion blended towards it; of the scan's type and range.

    Old strokes darken a T1 scan; sulci and ventricles within the shape stay as dark as they are. Voxels of
    weight 0 keep their value to the last bit.

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
