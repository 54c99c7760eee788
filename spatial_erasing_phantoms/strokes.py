"""Chronic strokes on T1 scans: cavities and scars on one side of the brain."""

import numpy as np
import torch

from spatial_erasing_phantoms.fields import Field
from spatial_erasing_phantoms.growth import Site, draw_seed_mm, draw_volume_ml, site
from spatial_erasing_phantoms.head import Head
from spatial_erasing_phantoms.lesions import Lesion

VOLUME_ML = (0.1, 150.0)
# weight, centre, spread in the brain's box: cortex and deep branches of the middle cerebral artery, the other
# two arteries of the hemispheres, and cerebellum with brain stem
TERRITORIES = (
    (0.40, (0.34, 0.55, 0.50), (0.08, 0.15, 0.14)),
    (0.35, (0.15, 0.55, 0.50), (0.05, 0.10, 0.08)),
    (0.08, (0.14, 0.15, 0.42), (0.07, 0.07, 0.10)),
    (0.05, (0.06, 0.70, 0.75), (0.04, 0.12, 0.10)),
    (0.12, (0.14, 0.25, 0.14), (0.10, 0.08, 0.06)),
)


def draw_stroke(generator: np.random.Generator, head: Head, *, minimum_ml: float = VOLUME_ML[0]) -> Lesion:
    """A chronic stroke: a cavity with CSF-like signal in a scar with grey-like signal, with a soft border.

    Volumes are log-normal with median 6 ml between 0.1 and 150 ml; ATLAS 2.0 (Liew et al. 2022, Scientific
    Data 9:320) has a median of 5 ml and a range of 0.01 to 497 ml. Nine in ten stay on one side of the
    midline, like arterial territories. On T1 the cavity lies 5 to 35 % and the rim 50 to 90 % of the way from
    CSF to grey matter: old infarcts fill with fluid and scar at their borders. CSF spaces are spared.

    Args:
        head: the person's brain on a coarse grid, RAS, without surroundings.
        minimum_ml: smallest volume, larger for grids that cannot show 0.1 ml.
    """
    volume_ml = draw_volume_ml(generator, median_ml=6, spread=1.6, limits_ml=(minimum_ml, VOLUME_ML[1]))
    tissue = head.tissues["grey"] + head.tissues["white"]
    place = site(head, draw_seed_mm(generator, head, TERRITORIES, tissue=tissue), volume_ml)
    # the second term keeps the lesion out of CSF
    depth_mm = place.ball_mm(generator, wobble=0.4) - 1.5 * place.radius_mm * (place.brain - place.tissue)
    if generator.random() < 0.9:
        depth_mm = depth_mm - _across_midline_mm(place, head) * 4
    cavity_mm = depth_mm + place.ball_mm(generator, wobble=0.3)
    cavity_ml = volume_ml * generator.uniform(0.3, 0.7)
    levels = {
        "stroke_rim": ("csf", "grey", float(generator.uniform(0.50, 0.90))),
        "stroke_cavity": ("csf", "grey", float(generator.uniform(0.05, 0.35))),
    }
    return Lesion(
        parts=tuple(levels),
        depth_mm=Field(
            torch.stack([place.filled(depth_mm, volume_ml), place.filled(cavity_mm, cavity_ml)]),
            place.grid.affine,
        ),
        edge_mm=min(2.5, 0.5 * place.radius_mm),
        signal={"t1": levels},
    )


def _across_midline_mm(place: Site, head: Head) -> torch.Tensor:
    """How far points lie on the side opposite to the seed."""
    right_mm = head.grid.points()[0][head.brain >= 0.5]
    middle_mm = (right_mm.min() + right_mm.max()) / 2
    side = torch.sign(place.seed_mm[0] - middle_mm)
    return (side * (middle_mm - place.points_mm[0])).clamp(min=0)
