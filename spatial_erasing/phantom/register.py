"""From a person's brain to a template's: the affine map between their worlds."""

import tempfile
from pathlib import Path

import numpy as np

from spatial_erasing.preprocess.resample import isotropic_grid, resample_to_grid
from spatial_erasing.volumes import Volume

SPACING_MM = 2.0  # 12 parameters need no finer voxels: 4.5 s on one core


def affine_to_template(brain: Volume, template: Volume) -> np.ndarray:
    """World mm of a person to world mm of a template, both right-anterior-superior, shape (4, 4).

    ANTs, 12 parameters, mutual information (Avants et al. 2011, NeuroImage 54:2033), on one thread and with
    one seed: the same brains give the same matrix.

    Args:
        brain: intensities of the brain alone, 0 around it.
        template: likewise.
    """
    import ants  # noqa: PLC0415  four seconds, and it must see the number of threads first

    ants.config.set_ants_deterministic(on=True, seed_value=1)
    with tempfile.TemporaryDirectory() as folder:
        found = ants.registration(
            _ants_image(ants, brain),
            _ants_image(ants, template),
            type_of_transform="Affine",
            outprefix=str(Path(folder, "to_template")),
        )
        transform = ants.read_transform(found["fwdtransforms"][0])
    matrix = np.reshape(transform.parameters[:9], (3, 3))
    centre_mm = np.array(transform.fixed_parameters)
    to_template = np.eye(4)
    to_template[:3, :3] = matrix
    to_template[:3, 3] = transform.parameters[9:] + centre_mm - matrix @ centre_mm
    return to_template


def _ants_image(ants, volume: Volume):
    """The volume on a coarse grid. Its RAS world is given to ANTs as it is: the signs of LPS cancel out."""
    grid = isotropic_grid(volume, spacing_mm=SPACING_MM)
    intensities = resample_to_grid(volume, grid, interpolation="cubic").clip(0)
    return ants.from_numpy(intensities, origin=list(grid.origin_mm), spacing=[grid.spacing_mm] * 3)
