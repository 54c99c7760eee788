"""The template's tissue maps from the package nilearn."""

from functools import lru_cache

import numpy as np
import torch
from nilearn.datasets import load_mni152_gm_template, load_mni152_template, load_mni152_wm_template
from scipy.ndimage import find_objects
from torch import Tensor
from torch.nn import functional

from spatial_erasing_phantoms.fields import Grid
from spatial_erasing_phantoms.template import Template, make_template


@lru_cache(maxsize=4)
def load_template(spacing_mm: float = 1.0) -> Template:
    """The template with its tissue maps averaged to about this voxel size; at least 1 mm."""
    return make_template(*_tissue_fractions(), spacing_mm=spacing_mm)


def _tissue_fractions() -> tuple[Tensor, Grid]:
    """Grey, white and CSF at 1 mm in the template's brain, cut to its box with an empty margin of 8 mm."""
    image = load_mni152_template(resolution=1)
    brain = np.asarray(image.dataobj) > 0
    box = find_objects(brain.astype(np.int8))[0]
    grey, white = (
        np.asarray(load(resolution=1).dataobj, dtype=np.float32)[box] * brain[box]
        for load in (load_mni152_gm_template, load_mni152_wm_template)
    )
    fractions = torch.from_numpy(np.stack([grey, white, brain[box] - grey - white])).clamp_(0, 1)
    grid = Grid(image.shape, np.asarray(image.affine, dtype=np.float64)).block(box)
    # the brain stem touches the template's border; without a margin, sampling would extend it
    margin = np.eye(4)
    margin[:3, 3] = -8
    fractions = functional.pad(fractions, (8, 8) * 3)
    return fractions, Grid(tuple(fractions.shape[1:]), grid.affine @ margin)
