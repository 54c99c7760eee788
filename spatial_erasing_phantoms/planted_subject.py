"""One healthy scan with a planted lesion shape, on its own grid and in its own data type."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np

from spatial_erasing.images.volumes import Volume, read_volume, write_volume
from spatial_erasing.ingest.bids_names import SUFFIXES
from spatial_erasing.ingest.files import require_listed_content
from spatial_erasing.ingest.records import image_name
from spatial_erasing.preprocess.masks import label_brain_mask, label_lesion
from spatial_erasing.preprocess.register import affine_to_template
from spatial_erasing.preprocess.resample import isotropic_grid, require_same_grid
from spatial_erasing.preprocess.strip import brain_of_stripped_scan, mask_brain
from spatial_erasing.seeds import hash_seed
from spatial_erasing_phantoms.planting import (
    Box,
    blending_weight,
    carry_mask,
    darken,
    draw_look,
    lesion_box,
    stroke_signal,
    tissue_signal,
)

MINIMUM_INSIDE_PERCENT = 80  # of a shape, after mapping
MINIMUM_BRAIN_DICE = 0.85  # of the mapped template's brain and the subject's; typically 0.95
STRIP_SPACING_MM = 1.0

TRUTH_COLUMNS = (
    *("subject", "scanner", "source", "shape", "lesion_ml", "template_brain_dice"),
    *("csf", "grey", "white", "cavity", "rim"),
)


def plant_subject(
    scan: Mapping[str, str],
    shapes: Sequence[Path],
    *,
    folder: Path,
    template: Path,
    seed: int,
    minimum_lesion_ml: float,
) -> dict:
    """Write one subject's scan with a lesion, and the lesion's mask; return its row of the truth.

    Both files are on the scan's own grid; the scan keeps its data type, and its values outside the lesion.

    Raises:
        ValueError: registration of the template failed, or no shape fits.
    """
    volume, template_brain = read_volume(scan["path"]), read_volume(template)
    require_listed_content(scan["path"], scan["sha256"])
    brain = _find_brain(volume, scan)
    to_template = affine_to_template(
        Volume(np.where(brain, volume.intensities, 0), volume.affine, volume.path), template_brain
    )
    dice = _template_brain_dice(template_brain, volume, brain, to_template)
    shape, box, weight = _first_fitting(shapes, volume, brain, to_template, minimum_ml=minimum_lesion_ml)
    tissues = tissue_signal(volume.intensities[brain])
    look = draw_look(np.random.default_rng(hash_seed(seed, "planted", "look", scan["subject"])))
    signal = stroke_signal(
        look, weight >= 0.5, tissues=tissues, voxel_sizes_mm=nib.affines.voxel_sizes(volume.affine)
    )
    stored = _stored_values(volume)
    stored[box] = darken(stored[box], signal, weight)
    lesion = np.zeros(stored.shape, dtype=bool)
    # the mask ends where the soft edge is at half of its height
    lesion[box] = weight >= 0.5
    files = planted_files(scan)
    write_volume(folder / files[scan["sequence"]], np.asfortranarray(stored), volume.affine)
    write_volume(folder / files["lesion"], np.asfortranarray(lesion), volume.affine)
    return {
        "subject": scan["subject"],
        "scanner": scan["scanner"],
        "source": scan["path"],
        "shape": shape,
        "lesion_ml": round(float(lesion.sum() * _voxel_ml(volume)), 3),
        "template_brain_dice": round(dice, 4),
        **{name: round(value, 4) for name, value in vars(tissues).items()},
        "cavity": round(look.cavity, 4),
        "rim": round(look.rim, 4),
    }


def planted_files(scan: Mapping[str, str]) -> dict[str, str]:
    """Names of a planted subject's scan and mask, by their columns, relative to the cohort's folder."""
    subject, sequence = scan["subject"], scan["sequence"]
    suffix = SUFFIXES.get(sequence, sequence)
    return {sequence: f"{subject}_{suffix}.nii.gz", "lesion": f"{subject}_lesion.nii.gz"}


def _find_brain(volume: Volume, scan: Mapping[str, str]) -> np.ndarray:
    """Brain mask on the scan's own grid, bool."""
    if scan["skull_strip"] == "none":
        return brain_of_stripped_scan(volume.intensities)
    if scan["skull_strip"] == "given":
        mask = read_volume(scan["brain_mask"])
        require_same_grid(volume, mask)
        return label_brain_mask(mask).intensities > 0.5
    grid = isotropic_grid(volume, spacing_mm=STRIP_SPACING_MM)
    return carry_mask(
        mask_brain(volume, grid, brain_mask=None, skull_strip=scan["skull_strip"]),
        mask_affine=grid.affine,
        grid=volume.intensities.shape,
        affine=volume.affine,
        to_mask_mm=np.eye(4),
    )


def _carried(mask: Volume, volume: Volume, to_template: np.ndarray) -> np.ndarray:
    """A mask on the template, mapped to the grid of a scan."""
    return carry_mask(
        mask.intensities > 0.5,
        mask_affine=mask.affine,
        grid=volume.intensities.shape,
        affine=volume.affine,
        to_mask_mm=to_template,
    )


def _template_brain_dice(
    template: Volume, volume: Volume, brain: np.ndarray, to_template: np.ndarray
) -> float:
    """Overlap of the two brains after registration.

    Raises:
        ValueError: the registration has failed.
    """
    whole = brain_of_stripped_scan(template.intensities).astype(np.float32)
    carried = _carried(Volume(whole, template.affine, template.path), volume, to_template)
    dice = float(2 * (carried & brain).sum() / (carried.sum() + brain.sum()))
    if dice < MINIMUM_BRAIN_DICE:
        raise ValueError(
            f"{volume.path}: the registered template's brain overlaps this one with a Dice of {dice:.2f}, "
            f"expected {MINIMUM_BRAIN_DICE} or more. Check its orientation and its skull_strip, or remove "
            f"the scan from phantom.planted.source."
        )
    return dice


def _first_fitting(
    shapes: Sequence[Path], volume: Volume, brain: np.ndarray, to_template: np.ndarray, *, minimum_ml: float
) -> tuple[str, Box, np.ndarray]:
    """Name, box and blending weight of the first shape that is large enough and lies in the brain."""
    brain_ml = float(brain.sum() * _voxel_ml(volume))
    for path in shapes:
        lesion = _carried(label_lesion(read_volume(path), brain_ml=brain_ml), volume, to_template)
        inside = lesion & brain
        if not inside.any() or 100 * inside.sum() < MINIMUM_INSIDE_PERCENT * lesion.sum():
            continue
        voxel_sizes_mm = nib.affines.voxel_sizes(volume.affine)
        box = lesion_box(inside, voxel_sizes_mm=voxel_sizes_mm)
        weight = blending_weight(inside[box], brain[box], voxel_sizes_mm=voxel_sizes_mm)
        if (weight >= 0.5).sum() * _voxel_ml(volume) >= minimum_ml:
            return image_name(path), box, weight
    raise ValueError(
        f"{volume.path}: none of its {len(shapes)} lesion shapes leaves {minimum_ml:g} ml with "
        f"{MINIMUM_INSIDE_PERCENT} % inside the brain. Add masks to phantom.planted.lesion_masks, or lower "
        f"phantom.minimum_lesion_ml."
    )


def _voxel_ml(volume: Volume) -> float:
    return float(abs(np.linalg.det(volume.affine[:3, :3])) / 1000)


def _stored_values(volume: Volume) -> np.ndarray:
    """The scan's values in the data type of its file; scaled values as float32."""
    image = cast(nib.Nifti1Image, nib.load(str(volume.path)))
    values = np.asarray(image.dataobj).reshape(volume.intensities.shape)
    return values.astype(np.float32) if values.dtype == np.float64 else values.copy()
