"""Bootstrap over test subjects: resampled metrics, their intervals, and p of paired differences.

Subjects are drawn with replacement (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter
13): voxels of one head are not independent, heads are. Pooled numbers are exact for every resample, ties
included, and cost seconds: a resample is a row of weights, and all rows meet the subjects' counts in one
matrix product. The threshold from validation and the trained network stay fixed.
Two models on the same subjects are also compared by sign flips, subject by subject.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SAMPLES_AT_ONCE = 64  # with 10,000 distinct scores: two matrices of 5 MB
SMALLEST_SPREAD = 1e-12  # metrics are at most 1; below it, differences of equal models are rounding errors


class Sizes(tuple[int, ...]):
    """Numbers of test subjects: of one test set, or of each set whose numbers are averaged.

    Sets are resampled each by itself. Bootstrap variances of few subjects are too small, by (n - 1) / n for
    one set; for several sets the properties assume subjects of equal variance (Satterthwaite 1946, "An
    approximate distribution of estimates of variance components").
    """

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the variance: n - 1 for one set, 3.0 for sets of 4, 6 and 2 subjects."""
        if min(self) < 2:
            return 0.0
        n = np.array(self, float)
        return float((1 / n).sum() ** 2 / (1 / (n**2 * (n - 1))).sum())

    @property
    def inflation(self) -> float:
        """The variance of the mean over its bootstrap variance: n / (n - 1) for one set."""
        n = np.array(self, float)
        return float((1 / n).sum() / ((n - 1) / n**2).sum())

    def allow_intervals(self, minimum: int) -> bool:
        """Whether there are enough subjects: `minimum` together, and two in each set."""
        return sum(self) >= minimum and min(self) > 1


@dataclass(frozen=True)
class IntervalRule:
    """Confidence of the intervals, and the smallest number of subjects for one."""

    confidence_percent: float
    minimum_subjects: int  # fewer give no interval: it would be too narrow, that of one subject has no width

    def interval(self, samples: np.ndarray, *, sizes: Sizes) -> tuple[float, float]:
        """Interval of a number; NaN with too few subjects.

        The percentile interval (Efron and Tibshirani, chapter 13) of one test set; for a mean over several,
        which may be small, that of Student's t with the bootstrap variance, see `simultaneous_intervals`.

        Args:
            samples: the number on the test set, then on every resample, shape (1 + samples,).
        """
        if len(sizes) > 1:
            (lower,), (upper,) = simultaneous_intervals(samples[:, None], sizes=[sizes], rule=self, seed=0)
            return float(lower), float(upper)
        finite = samples[1:][np.isfinite(samples[1:])]
        if not sizes.allow_intervals(self.minimum_subjects) or not finite.size:
            return float("nan"), float("nan")
        outside = (100 - self.confidence_percent) / 2
        lower, upper = np.percentile(finite, [outside, 100 - outside])
        return float(lower), float(upper)


def draw_weights(subjects: int, *, samples: int, seed: int) -> np.ndarray:
    """How often each subject is in each resample, whole numbers, float64, shape (1 + samples, subjects).

    Row 0 is the test set itself; each other row draws as many subjects with replacement. With one seed for
    all models, differences between models are paired.
    """
    # the counts of n draws with replacement, without the draws themselves
    draws = np.random.default_rng(seed).multinomial(subjects, np.full(subjects, 1 / subjects), size=samples)
    return np.vstack([np.ones(subjects), draws])


def lesion_groups(
    owner: np.ndarray, value: np.ndarray, *, positives: np.ndarray, totals: np.ndarray, subjects: int
) -> tuple[np.ndarray, np.ndarray]:
    """Gather each subject's counts in as few groups of score as the average precision can tell apart.

    Only a score at which some subject has a positive adds to it; what lies between two such scores is counted
    with the lower one, and what lies below all of them is never reached. Nothing is rounded.

    Args:
        owner: index of the subject of each entry, shape (entries,).
        value: score of the entry; `positives` and `totals` are its numbers of samples; same shape.

    Returns:
        Positives and totals, ascending in score, float64, shape (subjects, groups).
    """
    # recall does not change between two scores with a positive
    scores = np.unique(value[positives > 0])
    group = np.searchsorted(scores, value, side="right") - 1
    kept = group >= 0
    place = owner[kept].astype(np.int64) * len(scores) + group[kept]
    shape = (subjects, len(scores))
    positives, totals = (
        np.bincount(place, counts[kept], minlength=subjects * len(scores)).reshape(shape)
        for counts in (positives, totals)
    )
    return positives, totals


def resampled_average_precision(positives: np.ndarray, totals: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the average precision of every resample, shape (samples,); NaN without a positive.

    Equal to `curves.average_precision` of the pool. With H and N the weighted positives and samples at or
    above a score: AP = sum of dH * (H / N) / H_all. Positives and totals have the shape (subjects, groups),
    groups ascending in score, weights (samples, subjects).
    """
    if positives.shape[1] == 0:
        return np.full(len(weights), np.nan)
    positives, totals = (np.cumsum(counts[:, ::-1], axis=1)[:, ::-1] for counts in (positives, totals))
    found = np.empty(len(weights))
    for start in range(0, len(weights), SAMPLES_AT_ONCE):
        rows = slice(start, start + SAMPLES_AT_ONCE)
        hits, predicted = weights[rows] @ positives, weights[rows] @ totals
        np.maximum(predicted, 1, out=predicted)  # where nothing is predicted, 0 / 1 for 0 / 0
        precision = np.divide(hits, predicted, out=predicted)
        all_hits = hits[:, 0].copy()
        hits[:, :-1] -= hits[:, 1:]
        area = np.einsum("sg,sg->s", hits, precision)
        found[rows] = np.divide(area, all_hits, out=np.full_like(area, np.nan), where=all_hits > 0)
    return found


def resampled_dice(
    hits: np.ndarray, predicted: np.ndarray, lesion: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return the Dice over the pooled voxels of every resample; NaN where none of them is lesion.

    Hits, predicted and lesion voxels have the shape (subjects,), weights (samples, subjects).
    """
    in_lesion = weights @ lesion
    dice = 2 * (weights @ hits) / np.maximum(weights @ predicted + in_lesion, 1)
    return np.where(in_lesion > 0, dice, np.nan)


def resampled_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean of values (subjects,) in every resample, shape (samples,); NaN values are left out.

    NaN where a resample holds no subject with a number. Weights have the shape (samples, subjects).
    """
    has_number = np.isfinite(values)
    drawn = weights[:, has_number].sum(axis=1)
    total = weights[:, has_number] @ values[has_number]
    return np.divide(total, drawn, out=np.full_like(total, np.nan), where=drawn > 0)


def simultaneous_intervals(
    samples: np.ndarray, *, sizes: Sequence[Sizes], rule: IntervalRule, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return intervals that contain all true differences at once with the confidence of `rule` (max-t).

    Single-step max-t (Westfall and Young 1993, "Resampling-Based Multiple Testing"; Romano and Wolf 2005,
    "Stepwise multiple testing as formalized data snooping", Econometrica 73): d ± c s, with s the standard
    deviation of d over the resamples, and c the quantile of the largest |d* - d| / s of each resample. As s
    is estimated from n subjects, each ratio is multiplied by a draw of sqrt(n / chi-squared with n - 1
    degrees of freedom): for one part and normal differences that is the interval of Student's t. For several
    test sets `Sizes` has what corresponds to n and n - 1.

    Args:
        samples: differences on the test set, then on every resample, shape (1 + samples, parts); NaN for
            none. A resample counts with its parts that have a number.
        sizes: of each part. A part of too few subjects, or without spread over the resamples, has no
            interval (NaN) and does not widen the others.

    Returns:
        Lower and upper ends, shape (parts,).
    """
    difference, resampled = samples[0], samples[1:]
    spread = np.nanstd(resampled, axis=0)
    is_enough = np.array([of_part.allow_intervals(rule.minimum_subjects) for of_part in sizes], dtype=bool)
    has_interval = is_enough & (spread > SMALLEST_SPREAD)
    kept, s = [sizes[part] for part in np.flatnonzero(has_interval)], spread[has_interval]
    freedom = np.array([of_part.freedom for of_part in kept])
    chi_squared = np.random.default_rng(seed).chisquare(freedom, size=(len(resampled), len(kept)))
    scale = np.array([of_part.inflation * of_part.freedom for of_part in kept])
    ratios = np.abs(resampled - difference)[:, has_interval] / s * np.sqrt(scale / chi_squared)
    largest = np.fmax.reduce(ratios, axis=1, initial=np.nan)
    # resamples without a number are left out, since a ratio of 0 would narrow the intervals
    largest = np.sort(largest[np.isfinite(largest)])
    # the test set counts as one more resample, the most extreme one
    rank = math.ceil((len(largest) + 1) * rule.confidence_percent / 100)
    half = np.full(len(difference), np.nan)
    if rank <= len(largest):
        half[has_interval] = largest[rank - 1] * s
    return difference - half, difference + half


def two_sided_p(differences: np.ndarray) -> float:
    """Return twice the share of resampled differences on the rarer side of 0, itself counted with each side.

    The data themselves count as one more resample, so that no p is 0 (Davison and Hinkley 1997, section 4.2).
    """
    finite = differences[np.isfinite(differences)]
    if not finite.size:
        return float("nan")
    # a difference of exactly 0 counts on both sides, which is conservative
    rarer = min((finite <= 0).sum(), (finite >= 0).sum())
    return float(min(1.0, 2 * (1 + rarer) / (1 + finite.size)))


def sign_flip_p(differences: np.ndarray, *, samples: int, seed: int) -> float:
    """Return the two-sided p of the mean of paired differences, by exchanging the models subject by subject.

    If both models were equal, each difference could as well have the other sign (Fisher 1935, "The Design of
    Experiments", section 21). All 2^n ways are tried where there are no more than `samples`, else `samples`
    random ones beside the one observed. Differences have the shape (subjects,); NaN ones are left out, and
    without any the result is NaN.
    """
    differences = differences[np.isfinite(differences)]
    subjects = len(differences)
    if not subjects:
        return float("nan")
    observed = abs(differences.sum())
    # exact where all signs are no more work than the random ones
    is_all = 2**subjects <= samples
    if is_all:
        flips = (np.arange(2**subjects)[:, None] >> np.arange(subjects)) & 1
    else:
        flips = np.random.default_rng(seed).integers(0, 2, size=(samples, subjects))
    signs = 1.0 - 2 * flips
    # sums of the same numbers in another order may differ in the last digit
    extreme = int((np.abs(signs @ differences) >= observed * (1 - 1e-12)).sum())
    return extreme / len(signs) if is_all else (extreme + 1) / (len(signs) + 1)
