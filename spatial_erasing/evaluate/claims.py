"""The paper's claims as comparisons that a run can test.

Each claim of Bengs et al. (2021) is a list of differences that are positive if the claim is right. What is
compared is here and nowhere else; whether a claim holds on a run is computed (`verdicts`). Models are named
by what their entries say.
"""

from spatial_erasing.evaluate.contrasts import (
    Arm,
    Claim,
    Contrast,
    gain_differs,
    loss_differs,
    more,
    more_of,
    more_on,
)
from spatial_erasing.evaluate.metrics import SIZES
from spatial_erasing.models import PaperModel

_KINDS, _FILLS, _DIMS = ("cube", "multi_cube", "half"), ("zero", "noise"), (2, 3)
_NONE = {dims: PaperModel(dims, "none", "none") for dims in _DIMS}
_ERASED = {dims: [PaperModel(dims, kind, fill) for kind in _KINDS for fill in _FILLS] for dims in _DIMS}
_PLAIN = {dims: Arm(_NONE[dims]) for dims in _DIMS}
_BEST = {dims: Arm(PaperModel(dims, "cube", "noise")) for dims in _DIMS}
"""The models that the paper follows through Figures 4 to 7."""
_SHOWN = (_PLAIN[2], _BEST[2], _PLAIN[3], _BEST[3])


def _kinds(dims: int, better: str, *worse: str) -> tuple[Contrast, ...]:
    """One kind of erasing against others, with either fill."""
    return more_of(
        (PaperModel(dims, better, fill), PaperModel(dims, other, fill)) for fill in _FILLS for other in worse
    )


CLAIMS = (
    Claim(
        "3d-beats-2d",
        "Without erasing, 3-D outperforms 2-D on both data sets.",
        more_of([(_NONE[3], _NONE[2])]),
        section="4",
    ),
    Claim(
        "3d-beats-2d-everywhere",
        "The 3-D VAE outperforms the 2-D VAE in all experiments.",
        more_of(zip([_NONE[3], *_ERASED[3]], [_NONE[2], *_ERASED[2]], strict=True)),
    ),
    Claim(
        "erasing-helps",
        "For both VAEs, the different erasing methods lead to improvements.",
        more_of((model, _NONE[dims]) for dims in _DIMS for model in _ERASED[dims]),
    ),
    Claim(
        "noise-beats-zeros",
        "Filling erased regions with noise works slightly better than filling them with zeros.",
        more_of(
            (PaperModel(dims, kind, "noise"), PaperModel(dims, kind, "zero"))
            for dims in _DIMS
            for kind in _KINDS
        ),
    ),
    Claim(
        "3d-single-cube-best",
        "For the 3-D VAE, erasing a single cube works best.",
        _kinds(3, "cube", "multi_cube", "half"),
    ),
    Claim(
        "3d-half-volume-second",
        "For the 3-D VAE, erasing a brain side in a subvolume follows the single cube.",
        _kinds(3, "half", "multi_cube"),
    ),
    Claim(
        "2d-half-slice-best",
        "For the 2-D VAE, erasing an entire brain side works best.",
        _kinds(2, "half", "cube", "multi_cube"),
    ),
    Claim(
        "2d-multi-patch-second",
        "For the 2-D VAE, erasing multiple patches follows the brain side closely.",
        _kinds(2, "multi_cube", "cube"),
    ),
    Claim(
        "extreme-sizes-are-hardest",
        "The smallest and the largest lesions are the hardest.",
        tuple(
            more(arm._replace(lesions="middle"), arm._replace(lesions=size))
            for arm in _SHOWN
            for size in ("small", "large")
        ),
        metrics=("dice_subject_mean",),
    ),
    Claim(
        "erasing-helps-all-sizes",
        "Erasing improves the subject-wise Dice over all lesion sizes.",
        tuple(
            more(_BEST[dims]._replace(lesions=size), _PLAIN[dims]._replace(lesions=size))
            for dims in _DIMS
            for size in SIZES
        ),
        metrics=("dice_subject_mean",),
    ),
    Claim(
        "erasing-helps-large-lesions-most",
        "Erasing is particularly effective for large lesions.",
        tuple(gain_differs(_BEST[dims], _PLAIN[dims], lesions="large") for dims in _DIMS),
        metrics=("dice_subject_mean",),
    ),
    Claim(
        "3d-beats-2d-at-all-sizes",
        "With erasing, 3-D outperforms 2-D over all lesion sizes.",
        tuple(more(*(_BEST[dims]._replace(lesions=size) for dims in (3, 2))) for size in SIZES),
        metrics=("dice_subject_mean",),
    ),
    Claim(
        "3d-helps-small-lesions-most",
        "3-D outperforms 2-D especially for small lesions.",
        (gain_differs(_BEST[3], _BEST[2], lesions="small"),),
        metrics=("dice_subject_mean",),
    ),
    Claim(
        "3d-with-a-fifth-beats-2d",
        "3-D with 20 % of the training data works better than 2-D with erasing and 100 %.",
        tuple(more(arm._replace(percent=20), _BEST[2]) for arm in (_PLAIN[3], _BEST[3])),
        metrics=("average_precision",),
        over="all",
    ),
    Claim(
        "2d-erased-with-a-fifth-beats-2d",
        "2-D with erasing and 20 % of the training data outperforms 2-D without erasing and 100 %.",
        (more(_BEST[2]._replace(percent=20), _PLAIN[2]),),
        metrics=("average_precision",),
        over="all",
    ),
    Claim(
        "erased-with-60-percent-beats-plain",
        "With 60 % of the training data, erasing beats no erasing with 100 %.",
        tuple(more(_BEST[dims]._replace(percent=60), _PLAIN[dims]) for dims in _DIMS),
        metrics=("average_precision",),
        over="all",
        section="4",
    ),
    Claim(
        "less-data-is-worse",
        "Reducing the training data to less than 60 % has a pronounced impact on 2-D and 3-D.",
        tuple(more(arm._replace(percent=60), arm._replace(percent=10)) for arm in _SHOWN),
        metrics=("average_precision",),
        over="all",
    ),
    Claim(
        "3d-loses-more-with-less-data",
        "Reducing the training data has a larger impact on 3-D.",
        (loss_differs(_PLAIN[3], _PLAIN[2], percent=10), loss_differs(_BEST[3], _BEST[2], percent=10)),
        metrics=("average_precision",),
        over="all",
    ),
    Claim(
        "erasing-needs-data",
        "Erasing works better when the network is trained with more data.",
        tuple(loss_differs(_BEST[dims], _PLAIN[dims], percent=10) for dims in _DIMS),
        metrics=("average_precision",),
        over="all",
    ),
    Claim(
        "t1ce-helps",
        "Models trained on T1 perform better on T1ce than on T1.",
        tuple(more_on(_BEST[dims], sequence="t1ce", title="T1ce") for dims in _DIMS),
    ),
    Claim(
        "slices-3d-and-erasing-help",
        "For finding abnormal slices, 3-D information and erasing are beneficial.",
        (
            more(_PLAIN[3], _PLAIN[2]),
            more(_BEST[3], _BEST[2]),
            more(_BEST[2], _PLAIN[2]),
            more(_BEST[3], _PLAIN[3]),
        ),
        metrics=("slice_average_precision",),
        over="all",
    ),
)
