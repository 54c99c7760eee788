"""Heads from label maps of real people: a class of voxels for each structure, its intensity from priors.

The generative model of SynthSeg (Billot et al. 2023, Medical Image Analysis 86:102789) on its own label maps:
every class gets a mean and a standard deviation drawn from T1 priors, the map is deformed, and every voxel is
drawn from the normal distribution of its class. Bias field, noise and grid are those of a simulated scanner.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
import torch
from scipy.ndimage import binary_closing, find_objects, gaussian_filter
from torch import Tensor

from spatial_erasing_phantoms.anatomy import TEMPLATE_BRAIN_ML, TEMPLATE_CENTRE_MM, Deformation, warp_points
from spatial_erasing_phantoms.fields import Field, Grid, move
from spatial_erasing_phantoms.head import Head

MAP_NAMES = "training_seg_*.nii.gz"
FIRST_OUTER_LABEL = 500  # FreeSurfer's structures lie below, skull, fat, muscle and skin above
OUTER_CSF = 24  # in sulci and around the brain
BLUR_VOXELS = 0.5  # blur of the noise, since a scanner's voxels are not independent
CLOSING_MM = 4  # bridges sulci, as a skull strip does
# the tissues used by lesions, each with the label whose class gives its mean
TISSUES = {"grey": 3, "white": 2, "csf": 4}
CSF_LABELS = (4, 5, 14, 15, 24, 43, 44, 72)
# white matter of cerebrum and cerebellum, its lesions, stem, ventral diencephalon and optic chiasm
WHITE_LABELS = (2, 7, 16, 25, 28, 41, 46, 57, 60, 85)


@dataclass(frozen=True)
class LabelMap:
    """One person's structures, ready to be sampled.

    Args:
        path: of the map; the priors lie beside it.
        labels: index of every voxel's label in the tables below, one channel; the number of labels is added
            inside the brain.
        class_of: class of intensity of each label.
        tissue_of: tissue of each label, as index into TISSUES.
        class_of_tissue: class that gives the mean of each tissue.
        centre_mm: of the brain.
        brain_ml: volume of the brain, sulci included.
    """

    path: Path
    labels: Field
    class_of: np.ndarray
    tissue_of: np.ndarray
    class_of_tissue: dict[str, int]
    centre_mm: np.ndarray
    brain_ml: float


@dataclass(frozen=True)
class Contrast:
    """Mean and standard deviation of every class, relative to white matter."""

    mean: np.ndarray
    deviation: np.ndarray


def path_of_label_map(folder: str, index: int) -> Path:
    """The file of subject `index`; maps are reused in turn if there are fewer maps than subjects.

    Raises:
        FileNotFoundError: the folder has no map.
    """
    paths = sorted(Path(folder).glob(MAP_NAMES))
    if not paths:
        raise FileNotFoundError(
            f"phantom.label_maps is {folder}, where no file is called {MAP_NAMES}. Name the folder of "
            f"SynthSeg's training label maps, or null for heads from the template."
        )
    return paths[index % len(paths)]


@lru_cache(maxsize=2)
def load_label_map(folder: str, index: int) -> LabelMap:
    """The map of subject `index`; maps are reused in turn if there are fewer maps than subjects.

    Brain is every label below 500 (cerebrum, cerebellum, stem, ventricles) except the outer CSF, label 24,
    of which only voxels enclosed by a closing of 4 mm are brain, as in sulci: about the mask of a skull
    strip.

    Raises:
        FileNotFoundError: the folder has no map, or labels or priors are missing beside the maps.
        ValueError: a label has no prior.
    """
    path = path_of_label_map(folder, index)
    image = cast(nib.Nifti1Image, nib.load(path))
    labels = np.asarray(image.dataobj).astype(np.int32)
    box = tuple(
        slice(max(axis.start - 2, 0), axis.stop + 2) for axis in find_objects((labels > 0).astype(np.int8))[0]
    )
    labels = labels[box]
    grid = Grid(image.shape, image.affine.astype(float)).block(box)
    known, class_of = _classes(Path(folder), labels, path)
    structures = (labels > 0) & (labels < FIRST_OUTER_LABEL) & (labels != OUTER_CSF)
    closed = binary_closing(np.pad(structures, CLOSING_MM), iterations=CLOSING_MM)
    closed = closed[(slice(CLOSING_MM, -CLOSING_MM),) * 3]
    brain = structures | (closed & (labels == OUTER_CSF))
    values = np.searchsorted(known, labels) + len(known) * brain
    return LabelMap(
        path,
        Field(torch.from_numpy(values.astype(np.float32))[None], grid.affine),
        class_of,
        np.where(np.isin(known, CSF_LABELS), 2, np.isin(known, WHITE_LABELS)),
        {tissue: int(class_of[known == label][0]) for tissue, label in TISSUES.items()},
        centre_mm=nib.affines.apply_affine(grid.affine, np.argwhere(brain).mean(axis=0)),
        brain_ml=float(brain.sum() * grid.voxel_ml),
    )


def draw_contrast(generator: np.random.Generator, label_map: LabelMap) -> Contrast:
    """One person's contrast: mean and deviation of each class from normal priors, white matter at 1."""
    means, deviations = (_load(label_map.path.parent, f"prior_{kind}_t1.npy") for kind in ("means", "stds"))
    if (found := {means.shape[1], deviations.shape[1]}) != {label_map.class_of.max() + 1}:
        raise ValueError(
            f"the priors beside {label_map.path} are of {sorted(found)} classes, and its labels of "
            f"{label_map.class_of.max() + 1}. Use the labels and priors that belong to these maps."
        )
    mean = np.clip(generator.normal(means[0], means[1]), 0, None)
    deviation = np.clip(generator.normal(deviations[0], deviations[1]), 0, None)
    white = mean[label_map.class_of_tissue["white"]]
    return Contrast(mean / white, deviation / white)


def render_label_head(
    label_map: LabelMap, deformation: Deformation, grid: Grid, *, contrast: Contrast, noise_seed: int
) -> Head:
    """The head of one person on a grid; every voxel is the mean of eight samples of the map.

    Size and pose follow the deformation, so brain volumes have the same distribution as for template heads.
    Air is the background class and has its own signal.
    """
    signal = {tissue: float(contrast.mean[k]) for tissue, k in label_map.class_of_tissue.items()}
    mean, deviation = contrast.mean[label_map.class_of], contrast.deviation[label_map.class_of]
    above_tissue = mean - np.array(list(signal.values()))[label_map.tissue_of]
    count, nothing = len(mean), np.zeros(len(mean))
    # one row per volume, one column per label, first outside the brain and then inside
    table = np.concatenate(
        [
            np.block([[nothing, above_tissue], [mean, nothing], [deviation, deviation]]),
            np.column_stack([np.zeros((3, count)), np.eye(3)[label_map.tissue_of].T]),
        ]
    )
    table = torch.from_numpy(table.astype(np.float32))
    volumes = torch.zeros(len(table), *grid.shape)
    for corner in product((-0.25, 0.25), repeat=3):
        found = _labels_at(label_map, deformation, Grid(grid.shape, _shifted(grid.affine, corner)))
        for k, row in enumerate(table):
            volumes[k] += row[found]
    relief, outside, texture, *tissues = volumes.div_(8)
    brain = sum(tissues)
    noise = np.random.default_rng(noise_seed).standard_normal(grid.shape, dtype=np.float32)
    return Head(
        grid,
        dict(zip(TISSUES, tissues, strict=True)),
        {"outside": outside.div_((1 - brain).clamp_(min=1e-6))},
        brain,
        signal=signal | {"outside": 1.0},  # its share already is its signal
        relief=relief,
        texture=texture.mul_(torch.from_numpy(gaussian_filter(noise, BLUR_VOXELS))),
    )


def _load(folder: Path, name: str) -> np.ndarray:
    if not (folder / name).exists():
        raise FileNotFoundError(
            f"phantom.label_maps is {folder}, which lacks {name}; the maps need their labels, classes and T1 "
            f"priors in the same folder. Copy it from SynthSeg's data/labels_classes_priors."
        )
    return np.load(folder / name)


def _classes(folder: Path, labels: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The labels with a class, in ascending order, and the class of each."""
    known = _load(folder, "generation_labels.npy")
    classes = _load(folder, "generation_classes_contrast_specific.npy")
    if unknown := sorted(set(np.unique(labels).tolist()) - set(known.tolist())):
        raise ValueError(
            f"{path} has the labels {unknown}, which are not in generation_labels.npy beside it. "
            f"Use the labels and priors that belong to these maps."
        )
    order = np.argsort(known)
    return known[order], classes[order]


def _labels_at(label_map: LabelMap, deformation: Deformation, grid: Grid) -> Tensor:
    """Index of the label at every voxel centre of a grid, shape of the grid."""
    template_mm = warp_points(deformation, grid.thinned(4.0).points(), None)
    scale = np.cbrt(label_map.brain_ml / TEMPLATE_BRAIN_ML)
    map_from_template = np.diag([scale] * 3 + [1.0])
    map_from_template[:3, 3] = label_map.centre_mm - scale * TEMPLATE_CENTRE_MM
    points = move(map_from_template, template_mm)
    return label_map.labels.sample(points, grid.shape, mode="nearest")[0].int()


def _shifted(affine: np.ndarray, voxels: tuple[float, ...]) -> np.ndarray:
    """The affine of a grid shifted by a fraction of a voxel."""
    shifted = affine.copy()
    shifted[:3, 3] += affine[:3, :3] @ np.array(voxels)
    return shifted
