"""A subject's scans to a brain in [0, 1], in the paper's order: resample, strip, denoise, scale."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np

from spatial_erasing.images.grids import Grid
from spatial_erasing.images.volumes import Volume
from spatial_erasing.jobs.faults import about
from spatial_erasing.preprocess import oddities, resample, strip
from spatial_erasing.preprocess.geometry import bounding_box, box_around
from spatial_erasing.preprocess.intensity import scale_brain
from spatial_erasing.preprocess.masks import label_brain_mask, label_lesion, unite_lesions
from spatial_erasing.preprocess.register import register_to_template
from spatial_erasing.preprocess.settings import BrainSettings
from spatial_erasing.preprocess.zero import head_above_zero, stripped_above_zero

# A skull strip's rim and a tracing's never agree to the voxel; a lesion that loses more deserves a look.
WARNED_OUTSIDE_PERCENT = 1.0
MISPLACED_PERCENT = 50.0  # a skull strip loses part of a lesion, hardly most of it


@dataclass(frozen=True)
class PreparedBrain:
    """A brain cut out of its head, before padding and downsampling."""

    sequences: dict[str, np.ndarray]  # name, such as "t1", to intensities in [0, 1], background 0, float32
    brain: np.ndarray  # bool mask of the same shape
    lesion: np.ndarray  # bool mask of the same shape; may reach beyond the brain
    # "scan", "resampled" and "brain", the last being that of the arrays, all in the scan's world
    grids: dict[str, Grid]
    # first and one-past-last voxel of the box that is to lie in the middle of the padded grid
    centred: tuple[tuple[int, ...], tuple[int, ...]]
    measures: dict[str, float]  # what the manifest says of this subject
    warnings: tuple[str, ...]  # sentences about what is odd and no reason to leave the subject out


def prepare_brain(
    scans: dict[str, Volume],
    *,
    lesions: list[Volume],
    brain_mask: Volume | None,
    skull_strip: str,
    settings: BrainSettings,
    device: str = "cpu",
) -> PreparedBrain:
    """Resample, strip, denoise and scale the scans of a subject (Bengs et al. 2021, section 2.1).

    Their contrast is standardised when the cohort is stacked, so that another way to do it strips no skull
    again. All sequences share the brain mask and the box that the first defines; each has percentiles of its
    own. Intensities are computed in the box around brain and lesion alone, with the result of the paper's
    order on the whole head.

    Args:
        scans: by the name of their sequence, that of the brain mask first.
        skull_strip: a name in `settings.NETWORKS`, "given", or "none" for scans without a skull.
        device: where a network strips the skull: "cpu" or "auto".

    Raises:
        ValueError: a scan, mask or lesion that cannot be used, with what was found and what to do.
    """
    reference = next(iter(scans))
    given = [label_brain_mask(brain_mask)] if brain_mask and skull_strip == "given" else []
    for other in (*scans.values(), *lesions, *given):
        resample.require_same_grid(scans[reference], other)
    scans, grid, brain, odd = locate_brain(
        scans, brain_mask=next(iter(given), None), skull_strip=skull_strip, settings=settings, device=device
    )
    lesions = [label_lesion(lesion, brain_ml=brain.sum() * grid.voxel_ml) for lesion in lesions]
    lesion = unite_lesions(lesions, grid, brain=brain)

    region = brain | lesion if settings.crop else np.ones_like(brain)
    box = box_around(region)
    box_grid, box_brain, box_lesion = grid.block(box), brain[box], lesion[box]
    sequences, ranges = {}, {}
    for name, scan in scans.items():
        # without resampling the grid holds the scan's own voxels, only turned
        interpolation = "nearest" if settings.resample == "none" else settings.resample
        intensities = resample.resample_to_grid(scan, box_grid, interpolation=interpolation)
        odd += oddities.warn_of_empty_voxels(intensities, box_brain, sequence=name)
        with about(scan.path):
            sequences[name], ranges[name] = scale_brain(
                intensities, box_brain, box_grid, volume_voxels=brain.size, settings=settings
            )
    centred = bounding_box(box_brain if settings.crop else np.ones_like(box_brain))
    measures = measure_brain(box_brain, box_lesion, centred=centred, voxel_ml=grid.voxel_ml)
    stored_grid = scans[reference].grid
    odd += oddities.warn_of_brain(sequences, box_brain, grid=box_grid, scan=stored_grid)
    return PreparedBrain(
        sequences,
        box_brain,
        box_lesion,
        grids={"scan": stored_grid, "resampled": grid, "brain": box_grid},
        centred=centred,
        measures=measures | ranges[reference],
        warnings=collect_warnings([*scans.values(), *lesions, *given], measures) + odd,
    )


def locate_brain(
    scans: dict[str, Volume],
    *,
    brain_mask: Volume | None,
    skull_strip: str,
    settings: BrainSettings,
    device: str,
) -> tuple[dict[str, Volume], Grid, np.ndarray, tuple[str, ...]]:
    """The scans with their zero below the brain, its grid, its plausible mask, and what is odd."""
    measured, reference = scans, next(iter(scans))
    if is_stripped := skull_strip == "none":
        scans = {name: stripped_above_zero(scan) for name, scan in scans.items()}
        with about(scans[reference].path):
            brain_mask, skull_strip = strip.mask_stripped_scan(scans[reference]), "given"
    find = partial(
        find_brain, brain_mask=brain_mask, skull_strip=skull_strip, settings=settings, device=device
    )
    grid, brain = find(scans[reference])
    if not is_stripped:
        scans = {name: head_above_zero(scan, grid, brain) for name, scan in scans.items()}
        if scans[reference] is not measured[reference]:  # a network sees the head as it would have been
            grid, brain = find(scans[reference])
    for name, scan in scans.items():
        if settings.percentiles_of == "none" and scan is not measured[name]:
            raise ValueError(
                f"preprocess.percentiles_of is none, which expects intensities from 0 to 1, but "
                f"{scan.warnings[-1]} Or set preprocess.percentiles_of to brain."
            )
    if is_stripped and brain_mask:
        odd = (*brain_mask.warnings, *oddities.warn_of_another_head(scans))
    else:
        odd = oddities.warn_of_parts(strip.component_shares(brain))
    return scans, grid, brain, odd


def find_brain(
    scan: Volume, *, brain_mask: Volume | None, skull_strip: str, settings: BrainSettings, device: str = "cpu"
) -> tuple[Grid, np.ndarray]:
    """The grid on which everything is prepared and its brain mask (bool), refused where implausible."""
    if settings.resample == "none":
        grid = resample.turned_grid(scan)
    else:
        grid = resample.isotropic_grid(scan, spacing_mm=settings.spacing_mm)
    with about(scan.path):
        brain = strip.mask_brain(scan, grid, brain_mask=brain_mask, skull_strip=skull_strip, device=device)
        strip.require_plausible_brain(brain, voxel_ml=grid.voxel_ml, range_ml=settings.brain_range_ml)
    if settings.register == "affine":
        return register_to_template(scan, Volume(brain, grid.affine), spacing_mm=settings.spacing_mm)
    return grid, brain


def measure_brain(
    brain: np.ndarray, lesion: np.ndarray, *, centred: tuple, voxel_ml: float
) -> dict[str, float]:
    """Volumes and box of a brain, for the manifest: ml, percent, and voxels of the prepared grid."""
    outside = lesion & ~brain
    return {
        "brain_ml": float(brain.sum() * voxel_ml),
        "lesion_ml": float(lesion.sum() * voxel_ml),
        "lesion_outside_brain_percent": float(100 * outside.sum() / max(lesion.sum(), 1)),
        **{f"box_{axis}_voxels": b - a for axis, a, b in zip("xyz", *centred, strict=True)},
    }


def collect_warnings(volumes: Iterable[Volume], measures: dict[str, float]) -> tuple[str, ...]:
    """What is odd about a subject and no reason to leave it out, one sentence each."""
    found = [warning for volume in volumes for warning in volume.warnings]
    outside_percent = measures["lesion_outside_brain_percent"]
    advice = "look at the skull strip"
    if outside_percent >= MISPLACED_PERCENT:
        advice = "compare the lesion with its scan in a viewer; it may be misplaced or another subject's"
    if outside_percent >= WARNED_OUTSIDE_PERCENT:
        found.append(f"{outside_percent:.0f} % of the lesion lie outside the brain mask: {advice}.")
    return tuple(found)
