"""Names and places of the files of the Brain Imaging Data Structure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spatial_erasing.ingest.records import folder_entries, image_name, is_image_name, natural_order

# Suffix of the scans of each sequence; a scan with contrast agent has an entity `ce` too.
SUFFIXES = {"t1": "T1w", "t1ce": "T1w", "t2": "T2w", "flair": "FLAIR"}
WITH_CONTRAST_AGENT = ("t1ce",)
SEEMING_LESION = re.compile("lesion|tumou?r|stroke", re.IGNORECASE)
PROBABILITY = "probseg"  # a lesion as shares of 0 to 1, of which more than half counts
MASK_SUFFIXES = {"mask", "roi", "dseg", "seg", PROBABILITY}
NATIVE_SPACES = {"", "T1w", "orig", "individual", "scanner"}  # the scan's own grid or one on top of it
CONTRASTS = {"t1w", "t2w", "flair", "dwi", "adc", "pdw", "t2star", "t2starw", "swi", "bold", "trace"}


@dataclass(frozen=True)
class BidsName:
    """A name such as `sub-01_ses-1_space-orig_label-lesion_mask`."""

    # what stands as `key-value`, here {"sub": "01", "ses": "1", "space": "orig", ...}
    entities: dict[str, str]
    words: list[str]  # what stands without a key, in lower case, here ["mask"]; the last one is the suffix
    text: str  # all of it

    @property
    def space(self) -> str:
        """The grid that the image lies on; "" for the scan's own, however it is called."""
        space = self.entities.get("space", "")
        return "" if space in NATIVE_SPACES else space

    def is_of(self, sequence: str) -> bool:
        """Whether it has or lacks contrast agent as the scans of a sequence do."""
        return ("ce" in self.entities) == (sequence in WITH_CONTRAST_AGENT)

    def is_scan(self, sequence: str) -> bool:
        """Whether it is an image of this weighting, with or without contrast agent, and no phase of one."""
        is_magnitude = self.entities.get("part", "mag") == "mag"
        return self.words[-1:] == [SUFFIXES[sequence].lower()] and is_magnitude

    def seems_scan(self, sequence: str) -> bool:
        """Whether it is almost named like such an image: `sub-01_T1w (1)`, `sub-01-T1w`, `sub-01_T1`."""
        word = re.sub("w$", "w?", SUFFIXES[sequence])
        # with _ and letters behind it, it is made of a scan (..._T1w_brain), or a space (space-T1w_...)
        seeming = re.search(rf"(?<![a-z\d]){word}(?![a-z\d]|_[a-z])", self.text, re.IGNORECASE)
        return bool(seeming) and not (self.is_scan(sequence) or self.is_lesion or self.is_brain_mask)

    def resembles_scan(self, sequences: Iterable[str]) -> bool:
        """Whether it is or seems to be a scan of one of these sequences."""
        return any(self.is_scan(sequence) or self.seems_scan(sequence) for sequence in sequences)

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

    def seems_lesion(self, sequences: Iterable[str]) -> bool:
        """Whether it is almost named like a lesion mask: `label-lesion_mask_v2`, `desc-tumour_mask`."""
        own = (f"{key}-{text}" for key, text in self.entities.items() if key not in ("sub", "ses"))
        is_known = (self.is_lesion and "sub" in self.entities) or self.resembles_scan(sequences)
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

    Session, acquisition and run are the scan's or not named, the space is the scan's, and no contrast but the
    scan's is named. The contrast agent (`ce`) may differ: scans of one session share their masks.
    """
    shared = ("sub", "ses", "acq", "rec", "run")
    same = all(mask.entities.get(key) in (None, scan.entities.get(key)) for key in shared)
    others = CONTRASTS - set(scan.words[-1:])
    return same and mask.space == scan.space and not others.intersection(mask.words)


def masks_for(scan: Path, masks: Iterable[Path]) -> list[Path]:
    """Those of `masks` that fit the scan, in their order."""
    name = parse_name(scan)
    return [mask for mask in masks if fits(parse_name(mask), name)]


def counting_files(root: Path, *, sequences: Sequence[str]) -> list[Path]:
    """The files that the list of scans depends on, in no order.

    Scans of these sequences, what may tell their scanner, and the masks; nothing else of a data set that may
    hold thousands of functional images.
    """
    files = []
    for place in all_places(root):
        is_derived = place.is_relative_to(root / "derivatives")
        names = (entry.name for entry in folder_entries(place))
        files += [place / name for name in names if _counts(name, sequences, is_derived=is_derived)]
    return files


def _counts(name: str, sequences: Sequence[str], *, is_derived: bool) -> bool:
    """Whether the list of scans depends on a file of this name; scans in derivatives/ are not read."""
    if not is_image_name(name):
        sidecars = tuple(f"{SUFFIXES[sequence]}.json" for sequence in sequences)
        return not is_derived and (name == "participants.tsv" or name.endswith(sidecars))
    parsed = parse_name(Path(name))
    is_scan = not is_derived and parsed.resembles_scan(sequences)
    return parsed.is_lesion or parsed.is_brain_mask or is_scan or parsed.seems_lesion(sequences)


def all_places(root: Path) -> Iterator[Path]:
    """Every folder in which a scan or a mask may lie."""
    pipelines = folders_in(root / "derivatives")
    not_subjects = (place for place in pipelines if not place.name.startswith("sub-"))
    for base in (root, root / "derivatives", *not_subjects):
        yield from places_below(base)


def places_below(base: Path) -> Iterator[Path]:
    """A folder and those of its subjects' anatomy."""
    yield base
    for subject in folders_in(base, "sub-"):
        for session in (subject, *folders_in(subject, "ses-")):
            yield session
            yield session / "anat"


def folders_in(place: Path, start: str = "") -> list[Path]:
    """Folders in `place` whose name starts like this, in natural order."""
    entries = folder_entries(place)
    found = [place / entry.name for entry in entries if entry.name.startswith(start) and entry.is_dir()]
    return sorted(found, key=natural_order)


def images_in(place: Path) -> list[Path]:
    """NIfTI files directly in `place`, in natural order; links to nothing too, so that they are reported."""
    found = [place / entry.name for entry in folder_entries(place) if is_image_name(entry.name)]
    return sorted(found, key=natural_order)
