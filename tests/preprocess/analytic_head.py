"""A smooth head as a formula in world millimetres, sampled on any voxel grid without interpolation."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import nibabel as nib
import numpy as np

from spatial_erasing.images.volumes import Volume
from spatial_erasing.preprocess.settings import BrainSettings

SEMI_AXES_MM = np.array([28.0, 35.0, 30.0])
LESION_CENTRE_MM, LESION_RADIUS_MM = np.array([-12.0, 9.0, 7.0]), 8.0  # in the left hemisphere, in front
LESION_ML = 4 / 3 * np.pi * LESION_RADIUS_MM**3 / 1000
SETTINGS = BrainSettings(
    resample="cubic",
    spacing_mm=1.0,
    brain_range_ml=(50, 2500),
    register="none",
    bias_field="none",
    n4_shrink_factor=4,
    n4_iterations=(20, 20),
    denoise="curvature_flow",
    denoise_time_step=0.125,
    denoise_iterations=3,
    denoise_patch_voxels=1,
    denoise_search_voxels=2,
    percentiles_of="brain",
    lower_percentile=1,
    upper_percentile=99,
    crop=True,
)
TINY_SETTINGS = replace(SETTINGS, brain_range_ml=(1, 100))


def intensities_at(points_mm):
    """A brain without symmetry, dark beyond its edge; points of shape (..., 3)."""
    radius = np.linalg.norm(points_mm / SEMI_AXES_MM, axis=-1)
    right, front, up = np.moveaxis(points_mm, -1, 0)
    inside = 500 + 120 * np.sin(right / 9 + 0.5) * np.cos(front / 11) + 4 * up + 1.5 * right + 5 * front
    spot = 250 * np.exp(-((points_mm - [11, -14, 5]) ** 2).sum(axis=-1) / (2 * 6**2))
    return (inside + spot) / (1 + np.exp((radius - 1) * 40))


def brain_at(points_mm):
    return np.linalg.norm(points_mm / SEMI_AXES_MM, axis=-1) < 1


def lesion_at(points_mm):
    return np.linalg.norm(points_mm - LESION_CENTRE_MM, axis=-1) < LESION_RADIUS_MM


def rotation(degrees):
    """About the world's three axes, one after the other."""
    product = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        i, j = [other for other in range(3) if other != axis]
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        product = turn @ product
    return product


def grid_around(directions, spacing_mm, *, reach_mm=(36.0, 43.0, 38.0), centre_mm=(0.0, 0.0, 0.0)):
    """Shape and affine of a voxel grid around an ellipsoid, with axes along the columns of `directions`."""
    along_axes_mm = 2 * np.linalg.norm(directions.T * np.asarray(reach_mm), axis=1)
    shape = np.ceil(along_axes_mm / spacing_mm).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = directions * np.asarray(spacing_mm)
    affine[:3, 3] = np.asarray(centre_mm) - affine[:3, :3] @ ((shape - 1) / 2)
    return tuple(shape.tolist()), affine


def directions_of(codes):
    """Axes of an orientation such as "LPS", as columns."""
    world = {
        "R": (1, 0, 0),
        "L": (-1, 0, 0),
        "A": (0, 1, 0),
        "P": (0, -1, 0),
        "S": (0, 0, 1),
        "I": (0, 0, -1),
    }
    return np.array([world[code] for code in codes], dtype=float).T


def sample(function, shape, affine):
    """The function at every voxel centre of a grid."""
    indices = np.moveaxis(np.indices(shape), 0, -1)
    return function(indices @ affine[:3, :3].T + affine[:3, 3])


VARIANTS = {
    "RAS": (np.eye(3), (1, 1, 1)),
    "LAS": (directions_of("LAS"), (1, 1, 1)),
    "LPS": (directions_of("LPS"), (1, 1, 1)),
    "PIR": (directions_of("PIR"), (1, 1, 1)),
    "oblique": (rotation((12, -17, 25)), (1, 1, 1)),
    "oblique, mirrored and fine": (rotation((-20, 8, 10)) @ directions_of("SPL"), (0.8, 0.9, 0.8)),
    "thick slices": (np.eye(3), (0.9, 0.9, 2.2)),
    "thick oblique slices": (rotation((9, 14, -7)) @ directions_of("LAS"), (1.0, 1.2, 2.0)),
}


def variant(name, function=intensities_at):
    """The head, its brain or its lesion as a scanner would have stored it."""
    directions, spacing_mm = VARIANTS[name]
    shape, affine = grid_around(directions, spacing_mm)
    return Volume(sample(function, shape, affine).astype(np.float32), affine, f"{name}.nii.gz")


def write_subject(folder, scan, *, lesion=None, brain_mask=None, skull_strip="none", **cells):
    """Write a subject's volumes as NIfTI and return its row of the ingest table."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, volume in {"t1": scan, "lesion": lesion, "mask": brain_mask}.items():
        if volume is not None:
            paths[name] = folder / f"{name}.nii.gz"
            kind = np.float32 if name == "t1" else np.uint8
            nib.save(nib.Nifti1Image(volume.intensities.astype(kind), volume.affine), paths[name])
    row = {
        "cohort": "study",
        "subject": folder.name,
        "scanner": "Trio",
        "sequence": "t1",
        "path": str(paths["t1"]),
        "lesion": json.dumps([str(paths["lesion"])] if lesion is not None else []),
        "brain_mask": str(paths.get("mask", "")),
        "skull_strip": skull_strip,
        "sha256": sha256(paths["t1"].read_bytes()).hexdigest(),
        "status": "found",
    }
    return row | cells


def tiny_subject(folder, *, shift_mm=0.0, with_lesion=True, **options):
    """The row of a stripped brain of 24³ voxels, done in a blink."""
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = -11.5 + shift_mm
    indices = np.moveaxis(np.indices((24, 24, 24)), 0, -1) - 11.5
    brain = np.linalg.norm(indices, axis=-1) < 9
    values = np.where(brain, 400 + 20 * indices[..., 0] + 9 * indices[..., 1] - 5 * indices[..., 2], 0)
    lesion = np.linalg.norm(indices - [-4, 2, 1], axis=-1) < 2.5
    options.setdefault("lesion", Volume(lesion.astype(np.float32), affine) if with_lesion else None)
    options.setdefault("brain_mask", Volume(brain.astype(np.float32), affine))
    return write_subject(folder, Volume(values.astype(np.float32), affine), **options)


def damage(row, change):
    """Replace the scan's data or header, and list it so; `change` gets the image and returns another."""
    image = nib.load(row["path"])
    nib.save(change(image), row["path"])
    row["sha256"] = sha256(Path(row["path"]).read_bytes()).hexdigest()


def new_values(function):
    return lambda image: nib.Nifti1Image(function(np.asarray(image.dataobj)), image.affine)


def move_lesion(row, *, shift_mm=0, values=None):
    (path,) = json.loads(row["lesion"])
    image = nib.load(path)
    affine = image.affine.copy()
    affine[0, 3] += shift_mm
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj) if values is None else values, affine), path)


def corner():
    lesion = np.zeros((24, 24, 24), np.uint8)
    lesion[:3, :3, :3] = 1
    return lesion
