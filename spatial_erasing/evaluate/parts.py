"""The differences that decide a claim on the test sets that there are."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from spatial_erasing.evaluate.contrasts import ALL_LESIONS, Arm, Claim, Contrast, Naming
from spatial_erasing.evaluate.resample_study import ALL_COHORTS
from spatial_erasing.evaluate.resamples import Quantity
from spatial_erasing.models import PAPER_SEQUENCE


class Part(NamedTuple):
    """A difference, positive if the claim is right: a weighted sum of quantities.

    Args:
        title: what is compared.
        cohort: on which test set; "all" for all of them.
        metric: by which number.
        terms: weight and quantity.
    """

    title: str
    cohort: str
    metric: str
    terms: tuple[tuple[float, Quantity], ...]


def parts_of(claim: Claim, cohorts: Mapping[str, Sequence[str]], naming: Naming) -> list[Part]:
    """Spell a claim out for these lesion cohorts.

    Args:
        claim: one of `CLAIMS`.
        cohorts: name to the sequences that were scanned; a comparison of others has no part there.
        naming: of the models in this study, and the sequence that they were trained on.
    """
    return [
        Part(
            contrast.title(naming),
            place,
            metric,
            tuple((term.weight, _quantity(term.arm, place, metric, naming)) for term in contrast.terms),
        )
        for contrast in claim.contrasts
        for metric in claim.metrics
        for place in _places(contrast, claim.over, cohorts, naming)
    ]


def _places(contrast: Contrast, over: str, cohorts: Mapping[str, Sequence[str]], naming: Naming) -> list[str]:
    """The test sets on which a contrast can be had; a gain on T1ce only where networks were trained on T1."""
    if over == ALL_COHORTS:
        return [ALL_COHORTS]
    sequences = {_sequence(term.arm, naming) for term in contrast.terms}
    if naming.sequence != PAPER_SEQUENCE and len(sequences) > 1:
        return []
    return [cohort for cohort, scanned in cohorts.items() if sequences <= set(scanned)]


def _sequence(arm: Arm, naming: Naming) -> str:
    """Of this study: what the paper saw on T1 is asked of the sequence that the networks were trained on."""
    return naming.sequence if arm.sequence == PAPER_SEQUENCE else arm.sequence


def _quantity(arm: Arm, cohort: str, metric: str, naming: Naming) -> Quantity:
    if arm.lesions != ALL_LESIONS:
        metric = f"{metric}_{arm.lesions}"
    return Quantity(naming.name(arm.model), arm.percent, cohort, _sequence(arm, naming), metric)
