"""File layouts of the real data sets: names, folders and voxel grids."""

from dataclasses import dataclass

import numpy as np

from spatial_erasing_phantoms.fields import Grid

ATLAS_SITES = 3


@dataclass(frozen=True)
class Layout:
    """Paths of one subject's files, relative to the cohort's folder.

    Args:
        scans: path by sequence.
        lesion: path of the label image, or None.
        truth_brain, truth_lesion: exact masks, outside the folders that a reader searches.
        grade: HGG or LGG for a tumour, otherwise empty.
        skull_stripped: whether the scans show only the brain.
    """

    subject: str
    scans: dict[str, str]
    lesion: str | None
    truth_brain: str
    truth_lesion: str | None
    grade: str = ""
    skull_stripped: bool = False


def subject_name(kind: str, index: int) -> str:
    """Name of the subject with this number, from 0, as in its data set.

    Raises:
        ValueError: an unknown kind of cohort, or a negative number.
    """
    if index < 0:
        raise ValueError(f"phantom index is {index}; subjects are counted from 0. Pass 0 or more.")
    if kind == "healthy":
        return f"phantom-{index + 1:04d}"
    if kind == "brats":
        return f"BraTS19_PHANTOM_{index + 1:03d}_1"
    if kind == "atlas":
        return f"sub-r{index % ATLAS_SITES + 1:03d}s{index // ATLAS_SITES + 1:03d}"
    raise ValueError(
        f"phantom kind is {kind!r}; expected healthy, brats or atlas. Correct the cohort's kind."
    )


def layout(kind: str, index: int) -> Layout:
    """The files of one subject: BraTS 2019, ATLAS 2.0 (BIDS derivatives), or a plain folder with a table."""
    subject = subject_name(kind, index)
    truth_brain, truth_lesion = (f"truth/{subject}_{mask}.nii.gz" for mask in ("brain", "lesion"))
    if kind == "healthy":
        return Layout(subject, {"t1": f"{subject}_T1w.nii.gz"}, None, truth_brain, None)
    if kind == "atlas":
        folder = f"Training/R{subject[5:8]}/{subject}/ses-1/anat"
        stem = f"{folder}/{subject}_ses-1_space-MNI152NLin2009aSym"
        lesion = f"{stem}_label-L_desc-T1lesion_mask.nii.gz"
        return Layout(subject, {"t1": f"{stem}_T1w.nii.gz"}, lesion, truth_brain, truth_lesion)
    grade = "LGG" if index % 4 == 3 else "HGG"  # 76 of the 335 subjects of BraTS 2019 are LGG
    stem = f"{grade}/{subject}/{subject}"
    scans = {sequence: f"{stem}_{sequence}.nii.gz" for sequence in ("t1", "t1ce")}
    return Layout(subject, scans, f"{stem}_seg.nii.gz", truth_brain, truth_lesion, grade, skull_stripped=True)


def scanner_name(kind: str, index: int, scanners: int) -> str:
    """Scanners in turn, so that small cohorts have all of them; the sites of ATLAS are R001 to R003."""
    if kind == "atlas":
        return f"R{index % ATLAS_SITES + 1:03d}"
    return f"scanner-{index % scanners + 1}"


def brats_grid(spacing_mm: float) -> tuple[Grid, np.ndarray]:
    """240 x 240 x 155 voxels of 1 mm, LPS, centred on the brain; and the affine of BraTS files.

    The origin of that affine is a corner of the field of view. Other spacings keep the field of view.
    """
    field_of_view_mm = np.array([240.0, 240.0, 155.0])
    shape = np.ceil(field_of_view_mm / spacing_mm).astype(int)
    stored = np.diag([-spacing_mm, -spacing_mm, spacing_mm, 1.0])
    stored[:3, 3] = np.array([0.5, 239.5, -0.5]) - np.array([1, 1, -1]) * spacing_mm / 2
    middle = stored[:3, :3] @ ((shape - 1) / 2)
    centred = stored.copy()
    centred[:3, 3] = np.array([0.0, -18.0, 4.0]) - middle
    return Grid(tuple(shape.tolist()), centred), stored


def atlas_grid(spacing_mm: float) -> Grid:
    """197 x 233 x 189 voxels of 1 mm, RAS: the space of MNI152NLin2009aSym, as in ATLAS 2.0."""
    shape = np.ceil(np.array([197, 233, 189]) / spacing_mm).astype(int)
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, 3] = np.array([-98.5, -134.5, -72.5]) + spacing_mm / 2
    return Grid(tuple(shape.tolist()), affine)
