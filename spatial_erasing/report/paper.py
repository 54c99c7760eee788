"""The numbers that Bengs et al. (2021) print, to stand beside ours."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from spatial_erasing.models import Method, PaperModel


class PaperResult(NamedTuple):
    """One row of Table 1 or 2 for one data set: every number in percent."""

    dice_dataset: float
    dice_subject_mean: float
    dice_subject_std: float
    auprc: float


class PaperCohort(NamedTuple):
    """A test set of the paper: its printed name and the number of test subjects (section 2.1)."""

    title: str
    test_subjects: int


PAPER_COHORTS = {"brats": PaperCohort("BraTS 2019", 202), "atlas": PaperCohort("ATLAS", 183)}

SEQUENCES = {"brats": ("t1", "t1ce"), "atlas": ("t1",)}
FIELDS = {
    "dice_dataset": "dice_dataset",
    "dice_subject_mean": "dice_subject_mean",
    "average_precision": "auprc",
}

# Table 1: model -> BraTS 2019, ATLAS
_TABLE_1 = {
    (2, "none", "none"): ((26.80, 25.30, 12.37, 21.19), (24.72, 11.23, 13.66, 16.86)),
    # the text of section 4 says 30.86 for ATLAS
    (3, "none", "none"): ((28.14, 26.93, 12.40, 24.69), (30.68, 14.42, 16.06, 23.74)),
    (2, "cube", "zero"): ((27.96, 26.52, 13.42, 22.53), (27.68, 12.23, 13.67, 18.65)),
    (2, "cube", "noise"): ((27.99, 26.58, 13.27, 22.54), (27.42, 12.36, 14.61, 18.20)),
    (3, "cube", "zero"): ((29.24, 27.90, 13.57, 26.18), (31.50, 15.59, 17.02, 23.47)),
    (3, "cube", "noise"): ((30.10, 28.80, 13.74, 27.85), (32.68, 15.53, 17.30, 25.11)),
    (2, "multi_cube", "zero"): ((28.10, 26.44, 12.89, 22.54), (26.99, 11.82, 14.29, 18.72)),
    (2, "multi_cube", "noise"): ((28.51, 27.24, 13.14, 22.81), (28.06, 12.88, 15.21, 19.49)),
    (3, "multi_cube", "zero"): ((28.88, 27.67, 13.22, 25.82), (31.83, 15.23, 16.64, 24.51)),
    (3, "multi_cube", "noise"): ((29.52, 28.33, 13.42, 26.18), (32.37, 14.99, 17.31, 25.13)),
    (2, "half", "zero"): ((26.86, 25.44, 12.42, 21.77), (27.54, 11.05, 13.70, 18.60)),
    (2, "half", "noise"): ((27.97, 26.45, 13.22, 22.84), (28.99, 12.13, 14.79, 20.37)),
    (3, "half", "zero"): ((28.49, 27.51, 13.17, 25.47), (31.00, 15.21, 17.00, 23.14)),
    (3, "half", "noise"): ((28.99, 27.92, 13.24, 26.07), (33.05, 15.27, 17.21, 25.58)),
}
_TABLE_2 = {
    ((2, "cube", "noise"), "t1"): (27.99, 26.58, 13.27, 22.54),
    ((2, "cube", "noise"), "t1ce"): (31.80, 29.08, 12.77, 24.28),
    ((3, "cube", "noise"), "t1"): (30.10, 28.80, 13.74, 27.85),
    ((3, "cube", "noise"), "t1ce"): (36.67, 33.40, 14.55, 31.12),
}

# Keyed by (model of the paper, paper cohort, sequence); Table 1 is all T1.
TABLE_1 = {
    (PaperModel(*model), cohort, "t1"): PaperResult(*numbers)
    for model, of_cohorts in _TABLE_1.items()
    for cohort, numbers in zip(PAPER_COHORTS, of_cohorts, strict=True)
}
TABLE_2 = {
    (PaperModel(*model), "brats", sequence): PaperResult(*numbers)
    for (model, sequence), numbers in _TABLE_2.items()
}

SLICE_AUPRC_PERCENT = {PaperModel(3, "cube", "noise"): 71.2}
"""Figure 6 in words (section 3): the best method's AUPRC on both test sets together."""


def paper_slice_auprc(
    paper_cohorts: Iterable[str | None], methods: Mapping[PaperModel, Method]
) -> dict[str, float]:
    """Name of a method -> slice-wise AUPRC in percent, if these cohorts are both test sets of the paper."""
    is_its_union = sorted(map(str, paper_cohorts)) == sorted(PAPER_COHORTS)
    printed = {methods[model].name: auprc for model, auprc in SLICE_AUPRC_PERCENT.items() if model in methods}
    return printed if is_its_union else {}


def paper_result(model: PaperModel | None, paper_cohort: str | None, sequence: str) -> PaperResult | None:
    """What the paper reports for this model, or None where it reports nothing."""
    if paper_cohort is not None and paper_cohort not in PAPER_COHORTS:
        raise ValueError(
            f"paper_cohort is {paper_cohort!r}, but the paper has only {' and '.join(PAPER_COHORTS)}. "
            "Write one of these, or null for a cohort that is not one of the paper's."
        )
    if model is None or paper_cohort is None:
        return None
    return (TABLE_1 | TABLE_2).get((model, paper_cohort, sequence))
