"""Gliomas on T1 and contrast-enhanced T1 scans: core, enhancing rim and swelling."""

import numpy as np
import torch

from spatial_erasing_phantoms.fields import Field
from spatial_erasing_phantoms.growth import Site, draw_seed_mm, draw_volume_ml, site
from spatial_erasing_phantoms.head import Head
from spatial_erasing_phantoms.lesions import Lesion

VOLUME_ML = (10.0, 250.0)
LABELS = {"swelling": 2, "enhancing": 4, "core": 1}
TERRITORIES = ((1.0, (0.25, 0.55, 0.58), (0.10, 0.22, 0.15)),)


def draw_tumour(
    generator: np.random.Generator, head: Head, *, grade: str = "HGG", minimum_ml: float = VOLUME_ML[0]
) -> Lesion:
    """A glioma in the cerebrum with the parts of BraTS: swelling, enhancing rim, necrotic or solid core.

    Whole volumes are log-normal with median 90 ml between 10 and 250 ml, our reading of the BraTS training
    sets. Core and rim take 25 to 55 % of it and the core 25 to 60 % of those, which leaves a rim of some
    20 ml, as measured in glioblastoma (median 18 ml: World Neurosurgery 2018, 115:e448). Low-grade tumours do
    not enhance and have a fainter core.

    On T1 every part is darker than white matter: the core lies 30 to 70 % (low grade 70 to 100 %) of the way
    from CSF to grey matter, swelling and rim -35 to 40 % and -35 to 60 % of the way from grey to white. With
    contrast agent the rim exceeds white matter by 30 to 160 % of the difference of grey and white. Swelling
    follows white matter. Unlike a real tumour it replaces tissue without mass effect.

    Args:
        head: the person's brain on a coarse grid, RAS, without surroundings.
        grade: HGG or LGG, as in BraTS 2019.
        minimum_ml: smallest volume.
    """
    limits_ml = (max(minimum_ml, VOLUME_ML[0]), VOLUME_ML[1])
    volume_ml = draw_volume_ml(generator, median_ml=90, spread=0.65, limits_ml=limits_ml)
    tissue = head.tissues["grey"] + head.tissues["white"]
    place = site(head, draw_seed_mm(generator, head, TERRITORIES, tissue=tissue), volume_ml)
    bodies = _high_grade(generator, place, volume_ml)
    if grade == "LGG":
        # without enhancement the whole solid body is core
        bodies["core"] = bodies.pop("enhancing")
    return Lesion(
        parts=tuple(bodies),
        depth_mm=Field(torch.stack(list(bodies.values())), place.grid.affine),
        edge_mm=2.5,
        signal=_draw_signal(generator, grade),
    )


def _high_grade(generator: np.random.Generator, place: Site, volume_ml: float) -> dict[str, torch.Tensor]:
    """Depth below the surfaces of whole tumour, enhancing body and core, each inside the previous one."""
    # swelling follows white matter
    whole_mm = place.ball_mm(generator, wobble=0.35) + 0.5 * place.radius_mm * place.white
    whole_mm = whole_mm - 1.5 * place.radius_mm * (place.brain - place.tissue)
    solid_ml = volume_ml * generator.uniform(0.25, 0.55)
    core_ml = solid_ml * generator.uniform(0.25, 0.60)
    solid_mm = place.ball_mm(generator, wobble=0.2, shift=0.15) + 0.3 * whole_mm
    core_mm = solid_mm + 0.3 * place.ball_mm(generator, wobble=0.3)
    return {
        "swelling": place.filled(whole_mm, volume_ml),
        "enhancing": place.filled(solid_mm, solid_ml),
        "core": place.filled(core_mm, core_ml),
    }


def _draw_signal(generator: np.random.Generator, grade: str) -> dict:
    """Signal of each part relative to two healthy tissues, on T1 and with contrast agent."""
    swelling, rim, enhanced, core, low = generator.uniform(
        (-0.35, -0.35, 1.3, 0.3, 0.7), (0.4, 0.6, 2.6, 0.7, 1.0)
    )
    core = float(core if grade == "HGG" else low)
    t1 = {
        "swelling": ("grey", "white", float(swelling)),
        "enhancing": ("grey", "white", float(rim)),
        "core": ("csf", "grey", core),
    }
    if grade == "LGG":
        del t1["enhancing"]
    t1ce = t1 | ({"enhancing": ("grey", "white", float(enhanced))} if grade == "HGG" else {})
    return {"t1": t1, "t1ce": t1ce}
