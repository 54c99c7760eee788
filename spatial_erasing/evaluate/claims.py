"""What the paper says about its results, as comparisons that a run can decide.

Each claim of Bengs et al. (2021) is a list of differences that are positive if the claim is right. What is
compared is here and nowhere else; whether a claim holds is computed (`verdicts`), for this run and for the
numbers that the paper itself prints.
"""

from dataclasses import dataclass
from typing import NamedTuple

from spatial_erasing.evaluate.lesion_sizes import SIZES
from spatial_erasing.models import paper_name

TABLE_METRICS = ("dice_dataset", "dice_subject_mean", "average_precision")
ALL_LESIONS = "all"
_SEQUENCES = {"t1": "", "t1ce": " on T1ce"}


class Arm(NamedTuple):
    """One side of a comparison: a model, its share of the training subjects, on which scans and lesions."""

    model: str
    percent: int = 100
    sequence: str = "t1"
    lesions: str = ALL_LESIONS

    @property
    def title(self) -> str:
        """What tables print, for example "3D-Cube-n with 20 %"."""
        share = f" with {self.percent} %" if self.percent != 100 else ""
        lesions = f", {self.lesions} lesions" if self.lesions != ALL_LESIONS else ""
        return paper_name(self.model) + share + _SEQUENCES[self.sequence] + lesions


class Term(NamedTuple):
    """An arm and how it counts in a difference."""

    weight: float
    arm: Arm


class Contrast(NamedTuple):
    """A weighted sum of arms that is positive if the claim is right."""

    title: str
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper and what must be positive for it.

    Args:
        name: of the claim, for files.
        section: of the paper.
        text: the claim, close to the paper's words.
        contrasts: what is compared.
        metrics: by which numbers; all of them count.
        over: "each" lesion cohort by itself, or "all": slices ranked together, other metrics averaged.
    """

    name: str
    section: str
    text: str
    contrasts: tuple[Contrast, ...]
    metrics: tuple[str, ...] = TABLE_METRICS
    over: str = "each"


def _more(better: Arm, worse: Arm) -> Contrast:
    return Contrast(f"{better.title} − {worse.title}", (Term(1, better), Term(-1, worse)))


def _more_of(pairs: list[tuple[str, str]]) -> tuple[Contrast, ...]:
    """Pairs of models, the better one first, both on all training subjects."""
    return tuple(_more(Arm(better), Arm(worse)) for better, worse in pairs)


def _gain_differs(better: Arm, worse: Arm, *, lesions: str) -> Contrast:
    """The gain at lesions of one size, minus the mean gain at the two other sizes."""
    weights = {size: 1.0 if size == lesions else -0.5 for size in SIZES}
    terms = tuple(
        Term(sign * weight, arm._replace(lesions=size))
        for size, weight in weights.items()
        for sign, arm in ((1, better), (-1, worse))
    )
    return Contrast(f"({better.title} − {worse.title}), {lesions} − other lesions", terms)


def _loss_differs(more: Arm, less: Arm, *, percent: int) -> Contrast:
    """How much one model loses more than another when its training subjects become fewer."""
    few = [arm._replace(percent=percent) for arm in (more, less)]
    terms = (Term(1, more), Term(-1, few[0]), Term(-1, less), Term(1, few[1]))
    return Contrast(f"({more.title} − {few[0].title}) − ({less.title} − {few[1].title})", terms)


_STRATEGIES = {2: ("patch", "multi-patch", "half-slice"), 3: ("cube", "multi-cube", "half-volume")}
_FILLS = ("zero", "noise")
_ERASED = {
    dims: [f"{dims}d-{strategy}-{fill}" for strategy in strategies for fill in _FILLS]
    for dims, strategies in _STRATEGIES.items()
}
_PLAIN = {2: Arm("2d-none"), 3: Arm("3d-none")}
_BEST = {2: Arm("2d-patch-noise"), 3: Arm("3d-cube-noise")}
"""The models that the paper follows through Figures 4 to 7."""
_SHOWN = (_PLAIN[2], _BEST[2], _PLAIN[3], _BEST[3])


def _strategies(dims: int, better: str, *worse: str) -> tuple[Contrast, ...]:
    """One strategy against others, with either fill."""
    return _more_of(
        [(f"{dims}d-{better}-{fill}", f"{dims}d-{other}-{fill}") for fill in _FILLS for other in worse]
    )


CLAIMS = (
    Claim(
        "3d-beats-2d",
        "4",
        "Without erasing, 3-D outperforms 2-D on both data sets.",
        _more_of([("3d-none", "2d-none")]),
    ),
    Claim(
        "3d-beats-2d-everywhere",
        "3",
        "The 3-D VAE outperforms the 2-D VAE in all experiments.",
        _more_of(list(zip(["3d-none", *_ERASED[3]], ["2d-none", *_ERASED[2]], strict=True))),
    ),
    Claim(
        "erasing-helps",
        "3",
        "For both VAEs, the different erasing methods lead to improvements.",
        _more_of([(model, f"{dims}d-none") for dims in (2, 3) for model in _ERASED[dims]]),
    ),
    Claim(
        "noise-beats-zeros",
        "3",
        "Filling erased regions with noise works slightly better than filling them with zeros.",
        _more_of([pair[::-1] for dims in (2, 3) for pair in zip(*[iter(_ERASED[dims])] * 2, strict=True)]),
    ),
    Claim(
        "3d-single-cube-best",
        "3",
        "For the 3-D VAE, erasing a single cube works best.",
        _strategies(3, "cube", "multi-cube", "half-volume"),
    ),
    Claim(
        "3d-half-volume-second",
        "3",
        "For the 3-D VAE, erasing a brain side in a subvolume follows the single cube.",
        _strategies(3, "half-volume", "multi-cube"),
    ),
    Claim(
        "2d-half-slice-best",
        "3",
        "For the 2-D VAE, erasing an entire brain side works best.",
        _strategies(2, "half-slice", "patch", "multi-patch"),
    ),
    Claim(
        "2d-multi-patch-second",
        "3",
        "For the 2-D VAE, erasing multiple patches follows the brain side closely.",
        _strategies(2, "multi-patch", "patch"),
    ),
    Claim(
        "extreme-sizes-are-hardest",
        "3",
        "The smallest and the largest lesions are the hardest.",
        tuple(
            _more(arm._replace(lesions="middle"), arm._replace(lesions=size))
            for arm in _SHOWN
            for size in ("small", "large")
        ),
        metrics=("dice_subject_mean",),
    ),
    Claim(
        "erasing-helps-all-sizes",
        "3",
        "Erasing improves the subject-wise Dice over all lesion sizes.",
        tuple(
            _more(_BEST[dims]._replace(lesions=size), _PLAIN[dims]._replace(lesions=size))
            for dims in (2, 3)
            for size in SIZES
        ),
        metrics=("dice_subject_mean",),
    ),
    Claim(
        "erasing-helps-large-lesions-most",
        "3",
        "Erasing is particularly effective for large lesions.",
        tuple(_gain_differs(_BEST[dims], _PLAIN[dims], lesions="large") for dims in (2, 3)),
        metrics=("dice_subject_mean",),
    ),
    Claim(
        "3d-beats-2d-at-all-sizes",
        "3",
        "With erasing, 3-D outperforms 2-D over all lesion sizes.",
        tuple(_more(*(_BEST[dims]._replace(lesions=size) for dims in (3, 2))) for size in SIZES),
        metrics=("dice_subject_mean",),
    ),
    Claim(
        "3d-helps-small-lesions-most",
        "3",
        "3-D outperforms 2-D especially for small lesions.",
        (_gain_differs(_BEST[3], _BEST[2], lesions="small"),),
        metrics=("dice_subject_mean",),
    ),
    Claim(
        "3d-with-a-fifth-beats-2d",
        "3",
        "3-D with 20 % of the training data works better than 2-D with erasing and 100 %.",
        tuple(_more(arm._replace(percent=20), _BEST[2]) for arm in (_PLAIN[3], _BEST[3])),
        metrics=("average_precision",),
        over="all",
    ),
    Claim(
        "2d-erased-with-a-fifth-beats-2d",
        "3",
        "2-D with erasing and 20 % of the training data outperforms 2-D without erasing and 100 %.",
        (_more(_BEST[2]._replace(percent=20), _PLAIN[2]),),
        metrics=("average_precision",),
        over="all",
    ),
    Claim(
        "erased-with-60-percent-beats-plain",
        "4",
        "With 60 % of the training data, erasing beats no erasing with 100 %.",
        tuple(_more(_BEST[dims]._replace(percent=60), _PLAIN[dims]) for dims in (2, 3)),
        metrics=("average_precision",),
        over="all",
    ),
    Claim(
        "less-data-is-worse",
        "3",
        "Reducing the training data to less than 60 % has a pronounced impact on 2-D and 3-D.",
        tuple(_more(arm._replace(percent=60), arm._replace(percent=10)) for arm in _SHOWN),
        metrics=("average_precision",),
        over="all",
    ),
    Claim(
        "3d-loses-more-with-less-data",
        "3",
        "Reducing the training data has a larger impact on 3-D.",
        (
            _loss_differs(_PLAIN[3], _PLAIN[2], percent=10),
            _loss_differs(_BEST[3], _BEST[2], percent=10),
        ),
        metrics=("average_precision",),
        over="all",
    ),
    Claim(
        "erasing-needs-data",
        "3",
        "Erasing works better when the network is trained with more data.",
        tuple(_loss_differs(_BEST[dims], _PLAIN[dims], percent=10) for dims in (2, 3)),
        metrics=("average_precision",),
        over="all",
    ),
    Claim(
        "t1ce-helps",
        "3",
        "Models trained on T1 perform better on T1ce than on T1.",
        tuple(_more(_BEST[dims]._replace(sequence="t1ce"), _BEST[dims]) for dims in (2, 3)),
    ),
    Claim(
        "slices-3d-and-erasing-help",
        "3",
        "For finding abnormal slices, 3-D information and erasing are beneficial.",
        (
            *_more_of([("3d-none", "2d-none"), ("3d-cube-noise", "2d-patch-noise")]),
            *_more_of([("2d-patch-noise", "2d-none"), ("3d-cube-noise", "3d-none")]),
        ),
        metrics=("slice_average_precision",),
        over="all",
    ),
)
