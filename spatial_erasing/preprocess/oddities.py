"""Warnings about a brain: disconnected parts, a cut, a contrast unlike T1.

The limits and what real scans reach are in docs/decisions/0031-doubtful-scans.md. A brain is a bool mask of
the shape of its intensities, which are on its grid; `scan` is the grid of the scan as it was stored.
"""

from collections.abc import Iterator, Sequence

import nibabel as nib
import numpy as np
from scipy import ndimage

from spatial_erasing.images.grids import Grid
from spatial_erasing.images.volumes import Volume
from spatial_erasing.preprocess.geometry import bounding_box
from spatial_erasing.preprocess.resample import resample_to_grid
from spatial_erasing.preprocess.zero import ringing_level

PARTS_SHARE = 0.01  # of a brain mask, beyond its largest connected component
NAMED_SHARE = 0.001  # what is dropped below it is crumbs
FACE_CM2 = 10.0  # a brain stem and the tip of a cerebellum end in less
FLAT_CM2_PER_MM = 6.0  # thickness; one plane of voxels cuts as much off a sphere with a radius of 10 cm
COARSE_MM = 4.0  # of the grid on which contrast is judged
MINIMUM_COARSE_VOXELS = 500  # 32 ml: below it the ranks say little
MINIMUM_NEIGHBOUR_CORRELATION = 0.25
MINIMUM_DEPTH_CORRELATION = 0.0
EMPTY_SHARE = 0.01  # of a brain's voxels without signal: fluid and ringing at the rim stay below it
MINIMUM_DICE = 0.95  # of what two sequences of one head show once the skull is gone
# brains are brightest in white matter; contrast agent brightens the rim
BRIGHT_INSIDE = ("t1",)
SIDES = {"R": "right", "L": "left", "A": "anterior", "P": "posterior", "S": "superior", "I": "inferior"}


def warn_of_parts(shares: np.ndarray, *, kept_share: float = 0.0) -> tuple[str, ...]:
    """A sentence where a brain mask has sizeable parts that are not connected."""
    beyond = shares[1:].sum()
    if beyond <= PARTS_SHARE:
        return ()
    dropped = shares[1:][shares[1:] < kept_share].sum()
    fate = f"{100 * dropped:.1f} % were dropped" if dropped > NAMED_SHARE else "all of it is kept"
    return (
        f"{100 * beyond:.1f} % of the brain mask are not connected to its largest part; {fate}. Look for "
        f"empty slices in the scan and for skull in the mask.",
    )


def warn_of_brain(
    sequences: dict[str, np.ndarray], brain: np.ndarray, *, grid: Grid, scan: Grid
) -> tuple[str, ...]:
    """All that is odd about where a prepared brain ends and what it looks like."""
    found = list(warn_of_faces(brain, grid, scan)) or list(warn_of_flat_ends(brain, grid))
    for name, intensities in sequences.items():
        found += warn_of_contrast(intensities, brain, voxel_sizes_mm=grid.voxel_sizes_mm, sequence=name)
    return tuple(found)


def warn_of_faces(brain: np.ndarray, grid: Grid, scan: Grid) -> Iterator[str]:
    """A sentence for each face of the scan that cuts through the brain."""
    mask = Volume(brain.astype(np.float32), grid.affine)
    codes, opposite = nib.aff2axcodes(scan.affine), dict(zip("RLAPSI", "LRPAIS", strict=True))
    for axis in range(3):
        face_cm2 = scan.voxel_ml * 10 / scan.voxel_sizes_mm[axis]
        for place, code in ((0, opposite[codes[axis]]), (scan.shape[axis] - 1, codes[axis])):
            box = [slice(0, size) for size in scan.shape]
            box[axis] = slice(place, place + 1)
            touched = resample_to_grid(mask, scan.block(tuple(box)), interpolation="nearest") > 0.5
            if (area_cm2 := touched.sum() * face_cm2) > FACE_CM2:
                yield (
                    f"The brain touches the {SIDES[code]} face of the scan over {area_cm2:.0f} cm²: the scan "
                    f"ends inside the brain, and the rest is missing. Look at it; exclude this "
                    f"subject if the missing part matters."
                )


def warn_of_flat_ends(brain: np.ndarray, grid: Grid) -> Iterator[str]:
    """A sentence for each side on which the brain ends in a plane, as where slices were filled with 0."""
    for axis, (sides, start, stop) in enumerate(zip(("LR", "PA", "IS"), *bounding_box(brain), strict=True)):
        size_mm = grid.voxel_sizes_mm[axis]
        for code, place in zip(sides, (start, stop - 1), strict=True):
            area_cm2 = np.take(brain, place, axis).sum() * grid.voxel_ml * 10 / size_mm
            if area_cm2 > FACE_CM2 + FLAT_CM2_PER_MM * size_mm:
                yield (
                    f"The brain ends in a plane of {area_cm2:.0f} cm² on its {SIDES[code]} side: slices may "
                    f"be empty or missing there. Look at the scan; leave out this subject if they matter."
                )


def warn_of_contrast(
    scan: np.ndarray, brain: np.ndarray, *, voxel_sizes_mm: np.ndarray, sequence: str
) -> Iterator[str]:
    """A sentence where intensities are unlike those of a brain's T1.

    Neighbours 4 mm apart are alike in tissue and not in noise. On a T1 white matter, which lies deep, is
    brighter than the cortex and the fluid at the rim; on a T2 or an inverted scan it is darker.
    """
    steps = [max(1, round(COARSE_MM / size)) for size in voxel_sizes_mm]
    coarse = tuple(slice(None, None, step) for step in steps)
    scan, brain = scan[coarse], brain[coarse]
    if brain.sum() < MINIMUM_COARSE_VOXELS:
        return
    alike = neighbour_correlation(scan, brain)
    if alike < MINIMUM_NEIGHBOUR_CORRELATION:
        yield (
            f"{sequence}: neighbouring voxels 4 mm apart correlate with {alike:.2f}, as in noise; tissue "
            f"reaches 0.4 or more. Look at the scan."
        )
    elif sequence in BRIGHT_INSIDE:
        deeper = depth_correlation(scan, brain, steps * voxel_sizes_mm)
        if deeper < MINIMUM_DEPTH_CORRELATION:
            yield (
                f"{sequence}: the brain is darker inside than at its rim (rank correlation of intensity and "
                f"depth {deeper:.2f}, a T1 has 0.2 to 0.7), as on a T2 or an inverted scan. Give the T1."
            )


def warn_of_empty_voxels(scan: np.ndarray, brain: np.ndarray, *, sequence: str) -> tuple[str, ...]:
    """A sentence where part of the brain mask holds no signal, as where slices of the scan are empty."""
    # an interpolation rings about 0 inside an empty slice
    inside = scan[brain]
    empty = (inside <= ringing_level(inside)).mean()
    if empty <= EMPTY_SHARE:
        return ()
    return (
        f"{sequence}: {100 * empty:.1f} % of the brain's voxels hold no signal, tissue always does. Look for "
        f"empty slices in the scan and for air in the brain mask.",
    )


def warn_of_another_head(sequences: dict[str, Volume]) -> Iterator[str]:
    """A sentence for each sequence without a skull that does not fill the place of the first one's brain."""
    filled = {name: scan.intensities > ringing_level(scan.intensities) for name, scan in sequences.items()}
    reference = next(iter(filled))
    first = filled.pop(reference)
    for name, other in filled.items():
        dice = 2 * (first & other).sum() / max(first.sum() + other.sum(), 1)
        if dice < MINIMUM_DICE:
            yield (
                f"{name}: its brain and that of the {reference} overlap with a Dice of {dice:.2f}, expected "
                f"{MINIMUM_DICE:g} or more. Compare both in a viewer; the {name} may be another subject's or "
                f"not registered to the {reference}."
            )


def neighbour_correlation(scan: np.ndarray, brain: np.ndarray) -> float:
    """Pearson's correlation of voxels of the brain with their next neighbours along the three axes."""
    pairs = []
    for axis in range(3):
        values, inside = np.moveaxis(scan, axis, 0), np.moveaxis(brain, axis, 0)
        both = inside[1:] & inside[:-1]
        pairs.append((values[1:][both], values[:-1][both]))
    first, second = (np.concatenate(part).astype(np.float64) for part in zip(*pairs, strict=True))
    return float(np.corrcoef(first, second)[0, 1])


def depth_correlation(scan: np.ndarray, brain: np.ndarray, voxel_sizes_mm: Sequence[float]) -> float:
    """Spearman's correlation of the brain's intensities with their distance from its rim."""
    depth = ndimage.distance_transform_edt(np.pad(brain, 1), sampling=voxel_sizes_mm)[1:-1, 1:-1, 1:-1]
    return float(np.corrcoef(_ranks(depth[brain]), _ranks(scan[brain]))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks, the mean one for equal values; `scipy.stats` takes a second to import."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]
