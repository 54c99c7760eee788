"""Every claim of the paper on this run: its differences with interval and p, and the verdict.

The paper prints no intervals and no numbers of single subjects, so that the verdict cannot be applied to its
tables: for them the signs of the differences are counted.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from spatial_erasing.evaluate.bootstrap import (
    SMALLEST_SPREAD,
    IntervalRule,
    Sizes,
    sign_flip_p,
    simultaneous_intervals,
    two_sided_p,
)
from spatial_erasing.evaluate.claims import CLAIMS
from spatial_erasing.evaluate.contrasts import Claim, Naming, Part, parts_of
from spatial_erasing.evaluate.metrics import SIZES, size_groups
from spatial_erasing.evaluate.resamples import Quantity, Resampled
from spatial_erasing.evaluate.trainings import interval_over_trainings
from spatial_erasing.seeds import hash_seed

COMPARISON_COLUMNS = (
    *("claim", "comparison", "cohort", "metric", "status"),
    *("difference", "lower", "upper", "p", "test", "subjects", "seeds"),
)
CLAIM_COLUMNS = (
    *("claim", "section", "text", "verdict", "point_estimates", "difference", "lower", "upper"),
    *("parts", "parts_run", "parts_above", "parts_surely_above", "parts_surely_below", "subjects", "seeds"),
    *("trainings_lower", "trainings_upper"),
)
RUN = "run"
HOLDS = "holds"
DOES_NOT_HOLD = "does not hold"
UNDECIDED = "undecided"
NOT_RUN = "not run"
_SUBJECT_METRIC = "dice_subject_mean"


class ClaimIntervals(NamedTuple):
    """Intervals of a claim's differences (its parts) and of their mean; NaN where a part has no interval."""

    lower: np.ndarray  # ends of the simultaneous intervals, in units of the metric, shape (parts,)
    upper: np.ndarray
    mean: tuple[float, float]  # lower and upper end of the interval of the mean difference


@dataclass(frozen=True)
class SubjectDice:
    """Dice of each subject, seeds averaged, and the lesions' sizes."""

    # (model, fraction_percent, cohort, sequence) to subject to Dice; NaN without a lesion
    dice: Mapping[tuple[str, int, str, str], Mapping[str, float]]
    # (cohort, "small" | "middle" | "large") to the subjects with such a lesion
    sizes: Mapping[tuple[str, str], frozenset[str]]

    def paired_differences(self, part: Part) -> np.ndarray | None:
        """Paired differences, shape (subjects,); None unless both terms are Dice on the same subjects."""
        is_pair = sorted(weight for weight, _ in part.terms) == [-1, 1]
        metrics = {(quantity.cohort, quantity.metric) for _, quantity in part.terms}
        if not is_pair or len(metrics) != 1 or part.metric != _SUBJECT_METRIC:
            return None
        ((cohort, metric),) = metrics
        by_weight = {weight: self.dice[quantity[:4]] for weight, quantity in part.terms}
        better, worse = by_weight[1], by_weight[-1]
        if better.keys() != worse.keys():
            alone = better.keys() ^ worse.keys()
            raise ValueError(
                f"{part.title} on {cohort}: subjects.csv has {len(alone)} subjects for one of the two only; "
                "expected the same test subjects. Score and evaluate this cohort again."
            )
        size = metric.removeprefix(_SUBJECT_METRIC).removeprefix("_")
        chosen = self.sizes[cohort, size] if size else better.keys()
        return np.array([better[subject] - worse[subject] for subject in sorted(chosen)])


def read_subject_dice(
    rows: Iterable[Mapping[str, str]], *, size_percentiles: tuple[float, float]
) -> SubjectDice:
    """Gather the rows of subjects.csv."""
    by_seed: dict[tuple[str, int, str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    voxels: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        key = (row["model"], int(row["fraction_percent"]), row["cohort"], row["sequence"])
        by_seed[key][row["subject"]].append(float(row["dice"]))
        voxels[row["cohort"]][row["subject"]] = int(row["lesion_voxels"])
    dice = {
        key: {subject: float(np.mean(values)) for subject, values in subjects.items()}
        for key, subjects in by_seed.items()
    }
    sizes: dict[tuple[str, str], frozenset[str]] = {}
    for cohort, of_subject in voxels.items():
        names = np.array(list(of_subject))
        groups = size_groups(np.array(list(of_subject.values())), percentiles=size_percentiles)
        sizes |= {(cohort, size): frozenset(names[groups[size]].tolist()) for size in SIZES}
    return SubjectDice(dice, sizes)


def judge_claims(
    found: Mapping[Quantity, Resampled],
    dice: SubjectDice,
    *,
    naming: Naming,
    cohorts: Mapping[str, Sequence[str]],
    rule: IntervalRule,
    seed: int,
) -> tuple[list[dict], list[dict]]:
    """The rows of comparisons.csv and of claims.csv: the differences of each claim, and its verdict."""
    comparisons, claims = [], []
    titles = {method.name: method.title for method in naming.methods.values()}
    for claim in CLAIMS:
        parts = parts_of(claim, cohorts, naming)
        run = _run_parts(parts, found)
        fewest = [min((found[quantity].sizes for _, quantity in part.terms), key=sum) for part in run]
        intervals = claim_intervals(list(run.values()), sizes=fewest, rule=rule, seed=seed)
        over_trainings = _over_trainings(run, found, rule)
        claims.append(_claim_row(claim, run, intervals, len(parts)) | _counts(run, found) | over_trainings)
        ends = dict(zip(run, zip(intervals.lower, intervals.upper, strict=True), strict=True))
        for part in parts:
            row = {
                "claim": claim.name,
                "comparison": part.title,
                "cohort": part.cohort,
                "metric": part.metric,
            }
            if part in run:
                numbers = _numbers(run[part], *ends[part])
                row |= numbers | _test(part, run[part], numbers["status"] == RUN, dice, seed)
            else:
                row["status"] = _not_run(part, found, titles)
            comparisons.append(row | _counts([part] if part in run else [], found))
    return comparisons, claims


def _run_parts(parts: Iterable[Part], found: Mapping[Quantity, Resampled]) -> dict[Part, np.ndarray]:
    """The parts that have a number: their difference on the test set, then on every resample."""
    # all arms share their resamples, so that the differences are paired
    samples = {
        part: np.sum([weight * found[quantity].samples for weight, quantity in part.terms], axis=0)
        for part in parts
        if all(quantity in found for _, quantity in part.terms)
    }
    return {part: of_part for part, of_part in samples.items() if not np.isnan(of_part[0])}


def _not_run(part: Part, found: Mapping[Quantity, Resampled], titles: Mapping[str, str]) -> str:
    """Why a part has no number."""
    missing = [quantity for _, quantity in part.terms if quantity not in found]
    names = dict.fromkeys(f"{titles.get(q.model, q.model)} with {q.fraction_percent} %" for q in missing)
    return f"not run: {', '.join(names)}" if missing else "no number: no lesion of this size"


def _numbers(samples: np.ndarray, lower: float, upper: float) -> dict:
    """A difference, its simultaneous interval, or why it has none."""
    status = RUN
    if np.isnan(lower):
        is_flat = np.nanstd(samples[1:]) <= SMALLEST_SPREAD
        status = "equal on every resample" if is_flat else "too few subjects for an interval"
    return {"status": status, "difference": float(samples[0]), "lower": lower, "upper": upper}


def _test(part: Part, samples: np.ndarray, has_interval: bool, dice: SubjectDice, seed: int) -> dict:
    """The p-value: by sign flips (exact for few subjects) if each subject has a Dice, else by resamples."""
    differences = dice.paired_differences(part)
    if differences is None:
        return {"p": two_sided_p(samples[1:]) if has_interval else np.nan, "test": "bootstrap"}
    flips = sign_flip_p(
        differences, samples=len(samples) - 1, seed=hash_seed("sign flips", seed, part.title, part.cohort)
    )
    return {"p": flips, "test": "sign flips"}


def _counts(parts: Iterable[Part], found: Mapping[Quantity, Resampled]) -> dict:
    """Test subjects of the parts, each counted once, and the fewest seeds of a model; empty without parts."""
    quantities = {quantity for part in parts for _, quantity in part.terms}
    subjects = {(q.cohort, q.metric): sum(found[q].sizes) for q in quantities}
    of_metric: Counter[str] = Counter()
    for (_, metric), count in subjects.items():
        of_metric[_SUBJECT_METRIC if metric.startswith(f"{_SUBJECT_METRIC}_") else metric] += count
    if not quantities:
        return {}
    return {
        "subjects": max(of_metric.values()),
        "seeds": min(len(found[quantity].by_seed) for quantity in quantities),
    }


def _over_trainings(parts: Collection[Part], found: Mapping[Quantity, Resampled], rule: IntervalRule) -> dict:
    """The interval of a claim's mean difference over trainings; empty without parts."""
    weights: dict[Quantity, float] = defaultdict(float)
    for weight, quantity in (term for part in parts for term in part.terms):
        weights[quantity] += weight / len(parts)
    if not weights:
        return {}
    by_seed = {quantity: found[quantity].by_seed for quantity in weights}
    lower, upper = interval_over_trainings(weights, by_seed, confidence_percent=rule.confidence_percent)
    return {"trainings_lower": lower, "trainings_upper": upper}


def _claim_row(claim: Claim, run: Mapping[Part, np.ndarray], intervals: ClaimIntervals, parts: int) -> dict:
    """A row of claims.csv without its numbers of subjects and seeds."""
    differences = [float(samples[0]) for samples in run.values()]
    lower, upper = intervals.mean
    mean = {"difference": float(np.mean(differences)), "lower": lower, "upper": upper} if run else {}
    return mean | {
        "claim": claim.name,
        "section": claim.section,
        "text": claim.text,
        "parts": parts,
        "parts_run": len(run),
        "parts_above": sum(difference > 0 for difference in differences),
        "parts_surely_above": int((intervals.lower > 0).sum()),
        "parts_surely_below": int((intervals.upper < 0).sum()),
        "verdict": verdict_of_intervals(intervals, parts=parts),
        "point_estimates": signs_of_points(differences),
    }


def claim_intervals(
    samples: Sequence[np.ndarray], *, sizes: Sequence[Sizes], rule: IntervalRule, seed: int
) -> ClaimIntervals:
    """Return the intervals that judge a claim, with the confidence of `rule` for both kinds together.

    Half of the error belongs to the mean difference: with a rule of 95 %, its interval has a confidence of
    97.5 %. The other half belongs to the parts: of their simultaneous 95 % intervals, only the side below 0
    counts.

    Args:
        samples: of each part that was run: its difference on the test set, then on every resample, shape
            (1 + samples,).
        sizes: of each part, those of its smallest group. If any has too few, the mean has no interval.
    """
    if not len(samples):
        return ClaimIntervals(np.empty(0), np.empty(0), (float("nan"), float("nan")))
    columns, draws = np.stack(samples, axis=1), hash_seed("simultaneous intervals", seed)
    lower, upper = simultaneous_intervals(columns, sizes=sizes, rule=rule, seed=draws)
    of_mean = simultaneous_intervals(
        columns.mean(axis=1, keepdims=True),
        sizes=[min(sizes, key=lambda of_part: of_part.freedom)],
        rule=replace(rule, confidence_percent=(100 + rule.confidence_percent) / 2),
        seed=draws,
    )
    return ClaimIntervals(lower, upper, (float(of_mean[0][0]), float(of_mean[1][0])))


def verdict_of_intervals(intervals: ClaimIntervals, *, parts: int) -> str:
    """Judge a claim by the interval of its mean difference and the simultaneous intervals of its parts.

    A claim does not hold if the interval of its mean or of some part lies below 0. Otherwise it holds if
    every one of its `parts` was run and the interval of the mean lies above 0; else it is undecided.

    With intervals of 95 %, many subjects and models that are all equal, a claim stays undecided in at least
    95 % of studies (at most 1.25 % "holds", 3.75 % "does not hold"). If each of 72 parts has a true effect of
    three standard errors, the verdict is "holds" in 97 % of studies of 100 subjects if the parts correlate by
    0.5 and in 86 % if by 0.8; with ten subjects in 91 % and 75 % (tests/evaluate/test_verdicts.py simulates).
    """
    if not len(intervals.lower):
        return NOT_RUN
    if intervals.mean[1] < 0 or (intervals.upper < 0).any():
        return DOES_NOT_HOLD
    return HOLDS if len(intervals.lower) == parts and intervals.mean[0] > 0 else UNDECIDED


def signs_of_points(differences: Sequence[float]) -> str:
    """Whether "all", "some" or "none" of differences without intervals are above 0; "not run" without any."""
    if not len(differences):
        return NOT_RUN
    is_above = np.asarray(differences, float) > 0
    if is_above.all():
        return "all"
    return "some" if is_above.any() else "none"
