"""The paper's claims on the paper's own numbers: Tables 1 and 2 have no intervals, but they have signs."""

from dataclasses import dataclass

from spatial_erasing.evaluate.contrasts import Claim, Naming
from spatial_erasing.evaluate.parts import Part, parts_of
from spatial_erasing.evaluate.resamples import Quantity
from spatial_erasing.evaluate.verdicts import NOT_RUN, verdict_of_points
from spatial_erasing.report.paper import TABLE_1, TABLE_2

NOT_PRINTED = "not printed"
_COHORTS = {"brats": ("t1", "t1ce"), "atlas": ("t1",)}
_FIELDS = {
    "dice_dataset": "dice_dataset",
    "dice_subject_mean": "dice_subject_mean",
    "average_precision": "auprc",
}


@dataclass(frozen=True)
class PaperVerdict:
    """What the printed numbers say about a claim.

    Args:
        differences: of the parts that can be had from the tables, in percent points, with what they compare.
        verdict: "all", "some" or "none" of them above 0, or "not printed".
    """

    differences: tuple[tuple[Part, float], ...]
    verdict: str

    @property
    def mean(self) -> float | None:
        """Mean of the differences, in percent points."""
        values = [value for _, value in self.differences]
        return sum(values) / len(values) if values else None

    @property
    def against(self) -> list[tuple[Part, float]]:
        """The differences that are not above 0."""
        return [(part, value) for part, value in self.differences if not value > 0]


def verdict_of_paper(claim: Claim, naming: Naming) -> PaperVerdict:
    """Judge a claim of the paper by the numbers that it prints in Tables 1 and 2."""
    differences = []
    for part in parts_of(claim, _COHORTS, naming):
        terms = [(weight, _printed(quantity, naming)) for weight, quantity in part.terms]
        weighted = [weight * number for weight, number in terms if number is not None]
        if len(weighted) == len(terms):
            difference = sum(weighted)
            differences.append((part, round(difference, 9)))  # two decimals were printed: 0.1 + 0.2 is 0.3
    verdict = verdict_of_points([value for _, value in differences])
    return PaperVerdict(tuple(differences), NOT_PRINTED if verdict == NOT_RUN else verdict)


def _printed(quantity: Quantity, naming: Naming) -> float | None:
    """A number of Table 1 or 2, in percent."""
    wanted = (quantity.model, quantity.cohort, quantity.sequence)
    printed = {
        (naming.name(model), *place): result for (model, *place), result in (TABLE_1 | TABLE_2).items()
    }
    result = printed.get(wanted)
    if result is None or quantity.fraction_percent != 100 or quantity.metric not in _FIELDS:
        return None
    return getattr(result, _FIELDS[quantity.metric])
