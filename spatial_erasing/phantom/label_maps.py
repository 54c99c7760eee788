"""Heads from label maps of real people: a class of voxels for each structure, its intensity from priors.

The generative model of SynthSeg (Billot et al. 2023, Medical Image Analysis 86:102789) on its own label maps:
every class gets a mean and a standard deviation drawn from T1 priors, the map is deformed, and every voxel is
drawn from the normal distribution of its class. Bias field, noise and grid are those of a simulated scanner.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from scipy.ndimage import binary_closing, find_objects, gaussian_filter
from torch import Tensor

from spatial_erasing.phantom.anatomy import TEMPLATE_BRAIN_ML, TEMPLATE_CENTRE_MM, Deformation, warp_points
from spatial_erasing.phantom.fields import Field, Grid, move
from spatial_erasing.phantom.head import Head

MAP_NAMES = "training_seg_*.nii.gz"
FIRST_OUTER_LABEL = 500  # FreeSurfer's structures lie below, skull, fat, muscle and skin above
OUTER_CSF = 24  # in sulci and around the brain
BLUR_VOXELS = 0.5  # of what is drawn in each voxel, since a scanner's voxels are not independent
CLOSING_MM = 4  # bridges sulci, as a skull strip does
# the names by which lesions find tissue: ventricles, cerebral white matter and cerebral cortex
TISSUES_OF_LABELS = {4: "csf", 2: "white", 3: "grey"}


@dataclass(frozen=True)
class LabelMap:
    """One person's structures, ready to be sampled.

    Args:
        path: of the map; the priors lie beside it.
        classes: class of intensity of every voxel, one channel; with `inside` added where it is brain.
        inside: how many classes there are.
        names: tissue of each class.
        centre_mm: of the brain.
        brain_ml: volume of the brain, sulci included.
    """

    path: Path
    classes: Field
    inside: int
    names: tuple[str, ...]
    centre_mm: np.ndarray
    brain_ml: float


@dataclass(frozen=True)
class Contrast:
    """Mean and standard deviation of every tissue, relative to white matter."""

    mean: dict[str, float]
    deviation: dict[str, float]


@lru_cache(maxsize=2)
def load_label_map(folder: str, index: int) -> LabelMap:
    """The map of subject `index`; with fewer maps than subjects they are used in turn.

    Brain is every structure inside the skull but the outer CSF, closed over sulci by 4 mm: about what a skull
    strip returns.

    Raises:
        FileNotFoundError: the folder holds no map.
        ValueError: a label has no prior.
    """
    paths = sorted(Path(folder).glob(MAP_NAMES))
    if not paths:
        raise FileNotFoundError(
            f"phantom.label_maps is {folder}, where no file is called {MAP_NAMES}. Name the folder of "
            f"SynthSeg's training label maps, or null for heads from the template."
        )
    path = paths[index % len(paths)]
    image = nib.load(path)
    labels = np.asarray(image.dataobj).astype(np.int32)
    box = tuple(
        slice(max(axis.start - 2, 0), axis.stop + 2) for axis in find_objects((labels > 0).astype(np.int8))[0]
    )
    labels = labels[box]
    grid = Grid(image.shape, image.affine.astype(float)).block(box)
    class_of, names = _classes(Path(folder), labels, path)
    structures = (labels > 0) & (labels < FIRST_OUTER_LABEL) & (labels != OUTER_CSF)
    closed = binary_closing(np.pad(structures, CLOSING_MM), iterations=CLOSING_MM)
    closed = closed[(slice(CLOSING_MM, -CLOSING_MM),) * 3]
    brain = structures | (closed & (labels == OUTER_CSF))
    classes = class_of[labels] + len(names) * brain
    values = torch.from_numpy(classes.astype(np.float32))[None]
    centre_mm = nib.affines.apply_affine(grid.affine, np.argwhere(brain).mean(axis=0))
    return LabelMap(
        path, Field(values, grid.affine), len(names), names, centre_mm, brain.sum() * grid.voxel_ml
    )


def draw_contrast(generator: np.random.Generator, label_map: LabelMap) -> Contrast:
    """One person's contrast: mean and deviation of each class from normal priors, white matter at 1."""
    priors = [label_map.path.with_name(f"prior_{kind}_t1.npy") for kind in ("means", "stds")]
    means, deviations = map(np.load, priors)
    mean = np.clip(generator.normal(means[0], means[1]), 0, None)
    deviation = np.clip(generator.normal(deviations[0], deviations[1]), 0, None)
    white = mean[label_map.names.index("white")]
    return Contrast(
        dict(zip(label_map.names, (mean / white).tolist(), strict=True)),
        dict(zip(label_map.names, (deviation / white).tolist(), strict=True)),
    )


def render_label_head(
    label_map: LabelMap, deformation: Deformation, grid: Grid, *, contrast: Contrast, noise_seed: int
) -> Head:
    """The head of one person on a grid: shares of every class, from eight samples in each voxel.

    Size and pose follow the deformation as they do for template heads: brain volumes have the same
    distribution. Air is the background class and has a signal of its own.
    """
    classes = [
        _classes_at(label_map, deformation, Grid(grid.shape, _shifted(grid.affine, corner)))
        for corner in product((-0.25, 0.25), repeat=3)
    ]
    count = label_map.inside
    shares = torch.stack(
        [sum((sample == k).float() for sample in classes) / len(classes) for k in range(2 * count)]
    )
    brain = shares[count:].sum(0)
    outside = shares[:count] / (1 - brain).clamp(min=1e-6)
    noise = np.random.default_rng(noise_seed).standard_normal(grid.shape, dtype=np.float32)
    noise = torch.from_numpy(gaussian_filter(noise, BLUR_VOXELS))
    deviation = torch.tensor([contrast.deviation[name] for name in label_map.names]).view(-1, 1, 1, 1)
    texture = ((shares[:count] + shares[count:]) * deviation).sum(0) * noise
    return Head(
        grid,
        dict(zip(label_map.names, shares[count:], strict=True)),
        dict(zip(label_map.names, outside, strict=True)),
        brain,
        signal=contrast.mean,
        texture=texture,
    )


def _classes(folder: Path, labels: np.ndarray, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class of each label as a table, and the tissue that each class is called."""
    known = np.load(folder / "generation_labels.npy")
    classes = np.load(folder / "generation_classes_contrast_specific.npy")
    if unknown := sorted(set(np.unique(labels).tolist()) - set(known.tolist())):
        raise ValueError(
            f"{path} holds the labels {unknown}, which generation_labels.npy beside it does not know. "
            f"Use the labels and priors that belong to these maps."
        )
    class_of = np.zeros(known.max() + 1, dtype=np.int32)
    class_of[known] = classes
    names = [f"class_{k}" for k in range(classes.max() + 1)]
    for label, tissue in TISSUES_OF_LABELS.items():
        names[class_of[label]] = tissue
    return class_of, tuple(names)


def _classes_at(label_map: LabelMap, deformation: Deformation, grid: Grid) -> Tensor:
    """Class of the map at every voxel centre of a grid, shape of the grid."""
    template_mm = warp_points(deformation, grid.thinned(4.0).points(), None)
    scale = np.cbrt(label_map.brain_ml / TEMPLATE_BRAIN_ML)
    map_from_template = np.diag([scale] * 3 + [1.0])
    map_from_template[:3, 3] = label_map.centre_mm - scale * TEMPLATE_CENTRE_MM
    points = move(map_from_template, template_mm)
    return label_map.classes.sample(points, grid.shape, mode="nearest")[0]


def _shifted(affine: np.ndarray, voxels: tuple[float, ...]) -> np.ndarray:
    """The affine of a grid moved by a part of a voxel."""
    shifted = affine.copy()
    shifted[:3, 3] += affine[:3, :3] @ np.array(voxels)
    return shifted
