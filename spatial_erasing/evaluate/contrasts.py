"""Contrasts: weighted sums of metrics of the paper's models, positive if a claim is true.

A contrast names models alone; its parts are the same sum by each metric on each test set of a study.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from spatial_erasing.evaluate.metrics import SIZES
from spatial_erasing.evaluate.resamples import ALL_COHORTS, Quantity
from spatial_erasing.models import PAPER_SEQUENCE, Method, PaperModel

TABLE_METRICS = ("dice_dataset", "dice_subject_mean", "average_precision")
ALL_LESIONS = "all"


@dataclass(frozen=True)
class Naming:
    """Which methods of a study are the models of the paper, and which sequence stands for its T1.

    Args:
        methods: of `models.methods_of_paper`; a model that the study has no entry for is named by what it is.
        sequence: that the study trains its networks on.
    """

    methods: Mapping[PaperModel, Method]
    sequence: str = PAPER_SEQUENCE

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


class Term(NamedTuple):
    """An arm and how it counts in a difference."""

    weight: float
    arm: Arm


class Contrast(NamedTuple):
    """A weighted sum of arms that is positive if the claim is right.

    Args:
        template: the title, with {} for each of `arms`.
        arms: that the title names.
        terms: of the sum.
    """

    template: str
    arms: tuple[Arm, ...]
    terms: tuple[Term, ...]

    def title(self, naming: Naming) -> str:
        """What is compared, for example "3D-Cube-n − 3D-None"."""
        return self.template.format(*(arm.title(naming) for arm in self.arms))


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and the contrasts that must be positive for it.

    Args:
        name: of the claim, for files.
        section: of the paper.
        text: the claim, close to the paper's words.
        contrasts: the compared groups of models.
        metrics: names of the compared metrics; all of them count.
        over: "each" lesion cohort by itself, or "all": slices ranked together, other metrics averaged.
    """

    name: str
    section: str
    text: str
    contrasts: tuple[Contrast, ...]
    metrics: tuple[str, ...] = TABLE_METRICS
    over: str = "each"


def more(better: Arm, worse: Arm) -> Contrast:
    """That one arm has the larger number."""
    return Contrast("{} − {}", (better, worse), (Term(1, better), Term(-1, worse)))


def more_of(pairs: Iterable[tuple[PaperModel, PaperModel]]) -> tuple[Contrast, ...]:
    """Pairs of models, the better one first, both on all training subjects."""
    return tuple(more(Arm(better), Arm(worse)) for better, worse in pairs)


def more_on(arm: Arm, *, sequence: str, title: str) -> Contrast:
    """That an arm has the larger number on scans of another sequence than the one it was trained on."""
    terms = (Term(1, arm._replace(sequence=sequence)), Term(-1, arm))
    return Contrast(f"{{}} on {title} − {{}}", (arm, arm), terms)


def gain_differs(better: Arm, worse: Arm, *, lesions: str) -> Contrast:
    """The gain at lesions of one size, minus the mean gain at the two other sizes."""
    weights = {size: 1.0 if size == lesions else -0.5 for size in SIZES}
    terms = tuple(
        Term(sign * weight, arm._replace(lesions=size))
        for size, weight in weights.items()
        for sign, arm in ((1, better), (-1, worse))
    )
    return Contrast(f"({{}} − {{}}), {lesions} − other lesions", (better, worse), terms)


def loss_differs(more: Arm, less: Arm, *, percent: int) -> Contrast:
    """How much one model loses more than another when its training subjects become fewer."""
    few = [arm._replace(percent=percent) for arm in (more, less)]
    terms = (Term(1, more), Term(-1, few[0]), Term(-1, less), Term(1, few[1]))
    return Contrast("({} − {}) − ({} − {})", (more, few[0], less, few[1]), terms)


class Part(NamedTuple):
    """A difference, positive if the claim is right: a weighted sum of quantities.

    Args:
        title: the compared models, for tables.
        cohort: name of the test set; "all" for all of them.
        metric: name of the metric.
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
    """The test sets of a contrast; a gain on T1ce is asked only of networks that were trained on T1."""
    if over == ALL_COHORTS:
        return [ALL_COHORTS]
    sequences = {_sequence(term.arm, naming) for term in contrast.terms}
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
