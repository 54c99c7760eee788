"""Contrasts: weighted sums of metrics of the paper's models, positive if a claim is true.

A contrast names models alone; its parts are the same sum by each metric on each test set of a study.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from spatial_erasing.evaluate.metrics import SIZES, TABLE_METRICS
from spatial_erasing.evaluate.resamples import ALL_COHORTS, Quantity
from spatial_erasing.models import PAPER_SEQUENCE, Method, PaperModel

ALL_LESIONS = "all"


@dataclass(frozen=True)
class Naming:
    """Which methods of a study are the models of the paper, and which sequence stands for its T1."""

    # of `models.methods_of_paper`; a model that the study has no entry for is named by what it is
    methods: Mapping[PaperModel, Method]
    sequence: str = PAPER_SEQUENCE  # that the study trains its networks on

    def name(self, model: PaperModel) -> str:
        """Of the method, as in metrics.csv."""
        return self.methods[model].name if model in self.methods else "{}d-{}-{}".format(*model)

    def title(self, model: PaperModel) -> str:
        """Of the method, as tables print it."""
        return self.methods[model].title if model in self.methods else self.name(model)


class Arm(NamedTuple):
    """One side of a comparison: a model, its share of the training subjects, on which scans and lesions.

    The sequence is the paper's; its T1 stands for the sequence that a study trains on.
    """

    model: PaperModel
    percent: int = 100
    sequence: str = PAPER_SEQUENCE
    lesions: str = ALL_LESIONS

    def title(self, naming: Naming) -> str:
        """What tables print, for example "3D-Cube-n with 20 %"."""
        share = f" with {self.percent} %" if self.percent != 100 else ""
        lesions = f", {self.lesions} lesions" if self.lesions != ALL_LESIONS else ""
        return naming.title(self.model) + share + lesions


class Contrast(NamedTuple):
    """A weighted sum of arms that is positive if the claim is right."""

    template: str  # the title, with {} for each of `arms`
    arms: tuple[Arm, ...]
    terms: tuple[tuple[float, Arm], ...]  # weights and arms of the sum

    def title(self, naming: Naming) -> str:
        """What is compared, for example "3D-Cube-n − 3D-None"."""
        return self.template.format(*(arm.title(naming) for arm in self.arms))


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and the contrasts that must be positive for it."""

    name: str
    text: str  # close to the paper's words
    contrasts: tuple[Contrast, ...]
    metrics: tuple[str, ...] = TABLE_METRICS  # all of them count
    over: str = "each"  # lesion cohort by itself, or "all": slices ranked together, other metrics averaged
    section: str = "3"  # of the paper


def more(better: Arm, worse: Arm) -> Contrast:
    """That one arm has the larger number."""
    return Contrast("{} − {}", (better, worse), ((1, better), (-1, worse)))


def more_of(pairs: Iterable[tuple[PaperModel, PaperModel]]) -> tuple[Contrast, ...]:
    """Pairs of models, the better one first, both on all training subjects."""
    return tuple(more(Arm(better), Arm(worse)) for better, worse in pairs)


def more_on(arm: Arm, *, sequence: str, title: str) -> Contrast:
    """That an arm has the larger number on scans of another sequence than the one it was trained on."""
    terms = ((1, arm._replace(sequence=sequence)), (-1, arm))
    return Contrast(f"{{}} on {title} − {{}}", (arm, arm), terms)


def gain_differs(better: Arm, worse: Arm, *, lesions: str) -> Contrast:
    """The gain at lesions of one size, minus the mean gain at the two other sizes."""
    weights = {size: 1.0 if size == lesions else -0.5 for size in SIZES}
    terms = tuple(
        (sign * weight, arm._replace(lesions=size))
        for size, weight in weights.items()
        for sign, arm in ((1, better), (-1, worse))
    )
    return Contrast(f"({{}} − {{}}), {lesions} − other lesions", (better, worse), terms)


def loss_differs(more: Arm, less: Arm, *, percent: int) -> Contrast:
    """How much one model loses more than another when its training subjects become fewer."""
    few = [arm._replace(percent=percent) for arm in (more, less)]
    terms = ((1, more), (-1, few[0]), (-1, less), (1, few[1]))
    return Contrast("({} − {}) − ({} − {})", (more, few[0], less, few[1]), terms)


class Part(NamedTuple):
    """A difference, positive if the claim is right: a weighted sum of quantities."""

    title: str  # the compared models, for tables
    cohort: str  # name of the test set, or "all"
    metric: str
    terms: tuple[tuple[float, Quantity], ...]  # weights and quantities


def parts_of(claim: Claim, cohorts: Mapping[str, Sequence[str]], naming: Naming) -> list[Part]:
    """Spell a claim out for lesion cohorts, given with the sequences that were scanned.

    A comparison of other sequences has no part there.
    """
    return [
        Part(
            contrast.title(naming),
            place,
            metric,
            tuple((weight, _quantity(arm, place, metric, naming)) for weight, arm in contrast.terms),
        )
        for contrast in claim.contrasts
        for metric in claim.metrics
        for place in _places(contrast, claim.over, cohorts, naming)
    ]


def _places(contrast: Contrast, over: str, cohorts: Mapping[str, Sequence[str]], naming: Naming) -> list[str]:
    """The test sets of a contrast; a gain on T1ce is asked only of networks that were trained on T1."""
    if over == ALL_COHORTS:
        return [ALL_COHORTS]
    sequences = {_sequence(arm, naming) for _, arm in contrast.terms}
    if naming.sequence != PAPER_SEQUENCE and len(sequences) > 1:
        return []
    return [cohort for cohort, scanned in cohorts.items() if sequences <= set(scanned)]


def _sequence(arm: Arm, naming: Naming) -> str:
    """Of this study: the sequence that the networks were trained on stands for the paper's T1."""
    return naming.sequence if arm.sequence == PAPER_SEQUENCE else arm.sequence


def _quantity(arm: Arm, cohort: str, metric: str, naming: Naming) -> Quantity:
    if arm.lesions != ALL_LESIONS:
        metric = f"{metric}_{arm.lesions}"
    return Quantity(naming.name(arm.model), arm.percent, cohort, _sequence(arm, naming), metric)
