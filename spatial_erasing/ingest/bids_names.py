"""File names of the Brain Imaging Data Structure, taken apart."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from spatial_erasing.ingest.names import image_name

# with _ and letters behind it, it is what a program made of a scan (..._T1w_brain) or a space (space-T1w_...)
SEEMING = re.compile(r"(?<![a-z\d])t1w?(?![a-z\d]|_[a-z])", re.IGNORECASE)
SEEMING_LESION = re.compile("lesion|tumou?r|stroke", re.IGNORECASE)
PROBABILITY = "probseg"  # a lesion as shares of 0 to 1, of which more than half counts
MASK_SUFFIXES = {"mask", "roi", "dseg", "seg", PROBABILITY}
NATIVE_SPACES = {"", "T1w", "orig", "individual", "scanner"}  # the scan's own grid or one on top of it
OTHER_CONTRASTS = {"t2w", "flair", "dwi", "adc", "pdw", "t2star", "t2starw", "swi", "bold", "trace"}


@dataclass(frozen=True)
class BidsName:
    """A name such as `sub-01_ses-1_space-orig_label-lesion_mask`.

    Args:
        entities: what stands as `key-value`, here {"sub": "01", "ses": "1", "space": "orig", ...}.
        words: what stands without a key, in lower case, here ["mask"]; the last one is the suffix.
        text: all of it.
    """

    entities: dict[str, str]
    words: list[str]
    text: str

    @property
    def space(self) -> str:
        """The grid that the image lies on; "" for the scan's own, however it is called."""
        space = self.entities.get("space", "")
        return "" if space in NATIVE_SPACES else space

    @property
    def is_t1(self) -> bool:
        """Whether it is a T1-weighted image, with or without contrast agent, and no phase of one."""
        return self.words[-1:] == ["t1w"] and self.entities.get("part", "mag") == "mag"

    @property
    def seems_t1(self) -> bool:
        """Whether it is almost named like a T1-weighted scan: `sub-01_T1w (1)`, `sub-01-T1w`, `sub-01_T1`."""
        return bool(SEEMING.search(self.text)) and not (self.is_t1 or self.is_lesion or self.is_brain_mask)

    @property
    def is_lesion(self) -> bool:
        """Whether it is a lesion mask: `label-lesion_mask`, `desc-T1lesion_mask`, `lesion_roi`, `_lesion`."""
        described = [self.entities.get("label", ""), self.entities.get("desc", ""), *self.words]
        suffix = self.words[-1] if self.words else ""
        is_mask = suffix in MASK_SUFFIXES or "lesion" in suffix
        return is_mask and any("lesion" in text.lower() for text in described)

    @property
    def is_probability(self) -> bool:
        """Whether it holds a share in each voxel, as a mask does not: `label-lesion_probseg`."""
        return self.words[-1:] == [PROBABILITY]

    @property
    def seems_lesion(self) -> bool:
        """Whether it is almost named like a lesion mask: `label-lesion_mask_v2`, `desc-tumour_mask`."""
        own = (f"{key}-{text}" for key, text in self.entities.items() if key not in ("sub", "ses"))
        is_known = self.is_t1 or self.seems_t1 or (self.is_lesion and "sub" in self.entities)
        return not is_known and bool(SEEMING_LESION.search("_".join([*own, *self.words])))

    @property
    def is_brain_mask(self) -> bool:
        """Whether it is a brain mask: `desc-brain_mask`."""
        return self.entities.get("desc") == "brain" and self.words[-1:] == ["mask"]


def parse_name(path: Path) -> BidsName:
    """The name of an image, taken apart."""
    text = image_name(path)
    parts = [part.partition("-") for part in text.split("_") if part]
    entities = {key: value for key, dash, value in parts if dash}
    return BidsName(entities, [key.lower() for key, dash, _ in parts if not dash], text)


def fits(mask: BidsName, scan: BidsName) -> bool:
    """Whether a mask was drawn on this scan or on its grid.

    Session, acquisition and run are the scan's or not named, the space is the scan's, and no other contrast
    is named. The contrast agent (`ce`) may differ: scans of one session share their masks.
    """
    same = all(
        mask.entities.get(key) in (None, scan.entities.get(key))
        for key in ("sub", "ses", "acq", "rec", "run")
    )
    return same and mask.space == scan.space and not OTHER_CONTRASTS.intersection(mask.words)


def masks_for(scan: Path, masks: Iterable[Path]) -> list[Path]:
    """Those of `masks` that fit the scan, in their order."""
    name = parse_name(scan)
    return [mask for mask in masks if fits(parse_name(mask), name)]
