"""Random generators, scanner and lesion of one phantom, independent of its output format."""

from collections.abc import Callable

import numpy as np

from spatial_erasing.seeds import hash_seed
from spatial_erasing_phantoms.fields import lattice
from spatial_erasing_phantoms.head import Head
from spatial_erasing_phantoms.layouts import Layout, scanner_name
from spatial_erasing_phantoms.lesions import Lesion
from spatial_erasing_phantoms.scanner import Scanner, draw_scanner
from spatial_erasing_phantoms.strokes import draw_stroke
from spatial_erasing_phantoms.tumours import draw_tumour

# lesion cohorts are registered to a template, so head rotation is small
POSE_SPREAD = {"healthy": 1.0, "brats": 0.25, "atlas": 0.25}
LESION_GRID = lattice((-96.0, -135.0, -90.0), (96.0, 105.0, 111.0), 3.0)


def generator_of(*parts: object) -> np.random.Generator:
    """A generator that depends on these names alone, so that draws are independent of each other."""
    return np.random.Generator(np.random.PCG64(hash_seed("phantom", *parts)))


def scanner_of(kind: str, index: int, *, seed: int, scanners: int) -> Scanner:
    """The simulated scanner of a subject."""
    name = scanner_name(kind, index, scanners)
    return draw_scanner(generator_of(seed, kind, name), name, geometry=index % scanners)


def draw_lesion(
    files: Layout, render: Callable[..., Head], generator: np.random.Generator, minimum_ml: float
) -> Lesion | None:
    """A lesion for this brain, drawn on a coarse grid that is independent of the scan's voxels."""
    if files.lesion is None:
        return None
    coarse = render(LESION_GRID, spacing_mm=LESION_GRID.voxel_sizes_mm[0], is_whole=False)
    if files.grade:
        return draw_tumour(generator, coarse, grade=files.grade, minimum_ml=minimum_ml)
    return draw_stroke(generator, coarse, minimum_ml=minimum_ml)
