"""From a person's brain to a template's: the affine map between their worlds, and the grid it leads to."""

import functools
import tempfile
from types import ModuleType
from typing import Any

import numpy as np

from spatial_erasing.images.grids import Grid
from spatial_erasing.images.volumes import Volume
from spatial_erasing.preprocess.intensity import ants_on_one_thread
from spatial_erasing.preprocess.resample import isotropic_grid, resample_to_grid

SPACING_MM = 2.0  # 12 parameters need no finer voxels: 4.5 s on one core


def register_to_template(scan: Volume, brain: Volume, *, spacing_mm: float) -> tuple[Grid, np.ndarray]:
    """The MNI152 template's grid laid into the scan's world, and the brain mask on it (bool).

    The grid is sheared and scaled as the affine map demands, so that a voxel has the same place in every
    brain, the scan is interpolated once, and volumes in ml stay those of the person.
    """
    head = resample_to_grid(scan, brain.grid, interpolation="linear")
    stripped = Volume(np.where(brain.intensities, head, 0), brain.affine, scan.path)
    straight = isotropic_grid(mni_brain(), spacing_mm=spacing_mm)
    to_person = np.linalg.inv(affine_to_template(stripped, mni_brain()))
    grid = Grid(straight.shape, to_person @ straight.affine)
    mask = Volume(brain.intensities.astype(np.float32), brain.affine)
    return grid, resample_to_grid(mask, grid, interpolation="nearest") > 0.5


@functools.cache
def mni_brain() -> Volume:
    """The MNI152 average brain at 1 mm (Fonov et al. 2011, NeuroImage 54(1)), as nilearn ships it."""
    from nilearn.datasets import load_mni152_template  # noqa: PLC0415  two seconds that only this option pays

    image = load_mni152_template(resolution=1)
    return Volume(np.asarray(image.dataobj, dtype=np.float32), np.asarray(image.affine, dtype=np.float64))


def affine_to_template(brain: Volume, template: Volume) -> np.ndarray:
    """World mm of a person to world mm of a template, both right-anterior-superior, shape (4, 4).

    ANTs, 12 parameters, mutual information (Avants et al. 2011, NeuroImage 54:2033), on one thread and with
    one seed: the same brains give the same matrix.
    """
    ants = ants_on_one_thread()
    images = _ants_image(ants, brain), _ants_image(ants, template)
    with tempfile.TemporaryDirectory() as folder:
        found = ants.registration(*images, type_of_transform="Affine", outprefix=f"{folder}/to_template")
        transform = ants.read_transform(found["fwdtransforms"][0])
    matrix = np.reshape(transform.parameters[:9], (3, 3))
    centre_mm = np.array(transform.fixed_parameters)
    to_template = np.eye(4)
    to_template[:3, :3] = matrix
    to_template[:3, 3] = transform.parameters[9:] + centre_mm - matrix @ centre_mm
    return to_template


def _ants_image(ants: ModuleType, volume: Volume) -> Any:
    """The volume on a coarse grid. Its RAS world is given to ANTs as it is: the signs of LPS cancel out."""
    grid = isotropic_grid(volume, spacing_mm=SPACING_MM)
    intensities = resample_to_grid(volume, grid, interpolation="cubic").clip(0)
    return ants.from_numpy(intensities, origin=grid.affine[:3, 3].tolist(), spacing=[SPACING_MM] * 3)
