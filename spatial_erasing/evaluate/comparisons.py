"""Every claim of the paper on this run: its differences with interval and p, and the verdict.

For this run a claim is judged by the intervals of its differences. The paper prints no intervals, so its own
numbers are judged by their signs.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spatial_erasing.evaluate.bootstrap import IntervalRule, holm, sign_flip_p, two_sided_p
from spatial_erasing.evaluate.claims import CLAIMS
from spatial_erasing.evaluate.contrasts import Claim, Naming, Part, parts_of
from spatial_erasing.evaluate.metrics import SIZES, size_groups
from spatial_erasing.evaluate.resamples import Quantity, Resampled
from spatial_erasing.seeds import hash_seed

COMPARISON_COLUMNS = (
    *("claim", "comparison", "cohort", "metric", "status"),
    *("difference", "lower", "upper", "p", "p_holm", "test", "subjects", "seeds"),
)
CLAIM_COLUMNS = (
    *("claim", "section", "text", "verdict", "point_estimates", "difference", "lower", "upper"),
    *("parts", "parts_run", "parts_above", "parts_surely_above", "parts_surely_below", "subjects", "seeds"),
)
HOLDS = "holds"
DOES_NOT_HOLD = "does not hold"
UNDECIDED = "undecided"
NOT_RUN = "not run"
_SUBJECT_METRIC = "dice_subject_mean"


@dataclass(frozen=True)
class SubjectDice:
    """Dice of each subject, seeds averaged, and the lesions' sizes.

    Args:
        dice: (model, fraction_percent, cohort, sequence) to subject to Dice; NaN without a lesion.
        sizes: (cohort, "small" | "middle" | "large") to the subjects with such a lesion.
    """

    dice: Mapping[tuple[str, int, str, str], Mapping[str, float]]
    sizes: Mapping[tuple[str, str], frozenset[str]]

    def paired_differences(self, part: Part) -> np.ndarray | None:
        """Paired differences, shape (subjects,); None unless both terms are Dice on the same subjects."""
        is_pair = sorted(weight for weight, _ in part.terms) == [-1, 1]
        metrics = {(quantity.cohort, quantity.metric) for _, quantity in part.terms}
        if not is_pair or len(metrics) != 1 or part.metric != _SUBJECT_METRIC:
            return None
        ((cohort, metric),) = metrics
        better, worse = (
            self.dice[quantity[:4]] for _, quantity in sorted(part.terms, key=lambda term: -term[0])
        )
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
    """Gather the rows of subjects.csv.

    Args:
        rows: of all runs.
        size_percentiles: where small lesions end and large ones begin.
    """
    by_seed: dict[tuple[str, int, str, str], dict[str, list[float]]] = {}
    voxels: dict[str, dict[str, int]] = {}
    for row in rows:
        key = (row["model"], int(row["fraction_percent"]), row["cohort"], row["sequence"])
        by_seed.setdefault(key, {}).setdefault(row["subject"], []).append(float(row["dice"]))
        voxels.setdefault(row["cohort"], {})[row["subject"]] = int(row["lesion_voxels"])
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
    """Compare what each claim compares: rows of comparisons.csv and of claims.csv.

    Args:
        found: every number of the study on every resample.
        dice: of every test subject.
        naming: the methods of the paper, and the sequence that they were trained on.
        cohorts: lesion cohort to its sequences.
        rule: of the intervals.
        seed: of the sign flips.
    """
    comparisons, claims = [], []
    titles = {method.name: method.title for method in naming.methods.values()}
    for claim in CLAIMS:
        parts = parts_of(claim, cohorts, naming)
        rows = [_compare(part, found, dice, rule, seed) for part in parts]
        rows = [row | _not_run(part, found, titles) for part, row in zip(parts, rows, strict=True)]
        corrected = holm(np.array([row.get("p", np.nan) for row in rows]))
        comparisons += [
            {"claim": claim.name} | row | {"p_holm": p} for row, p in zip(rows, corrected, strict=True)
        ]
        run = [part for part, row in zip(parts, rows, strict=True) if "difference" in row]
        claims.append(_claim_row(claim, rows) | _mean_of_parts(run, found, rule))
    return comparisons, claims


def difference_samples(part: Part, found: Mapping[Quantity, Resampled]) -> np.ndarray:
    """The difference on the test set, then on every resample, shape (1 + samples,)."""
    # all arms share their resamples, so that the differences are paired
    # all arms share their resamples, so that the differences are paired
    return np.sum([weight * found[quantity].samples for weight, quantity in part.terms], axis=0)


def _compare(
    part: Part,
    found: Mapping[Quantity, Resampled],
    dice: SubjectDice,
    rule: IntervalRule,
    seed: int,
) -> dict:
    """One row of comparisons.csv, without what depends on the other rows."""
    row = {"comparison": part.title, "cohort": part.cohort, "metric": part.metric}
    if any(quantity not in found for _, quantity in part.terms):
        return row
    samples = difference_samples(part, found)
    if np.isnan(samples[0]):
        return row | {"status": "no number: no lesion of this size"}
    numbers = _numbers(samples, [part], found, rule)
    has_interval = bool(np.isfinite(numbers["lower"]))
    status = "run" if has_interval else "too few subjects for an interval"
    return row | {"status": status} | numbers | _test(part, samples, has_interval, dice, seed)


def _not_run(part: Part, found: Mapping[Quantity, Resampled], titles: Mapping[str, str]) -> dict:
    """The status of a row whose numbers are not all there."""
    missing = [quantity for _, quantity in part.terms if quantity not in found]
    names = dict.fromkeys(f"{titles.get(q.model, q.model)} with {q.fraction_percent} %" for q in missing)
    return {"status": f"not run: {', '.join(names)}"} if missing else {}


def _test(part: Part, samples: np.ndarray, has_interval: bool, dice: SubjectDice, seed: int) -> dict:
    """Sign flips, exact for few subjects, where both arms have a Dice of each; else the resamples."""
    differences = dice.paired_differences(part)
    if differences is None:
        return {"p": two_sided_p(samples[1:]) if has_interval else np.nan, "test": "bootstrap"}
    flips = sign_flip_p(
        differences, samples=len(samples) - 1, seed=hash_seed("sign flips", seed, part.title, part.cohort)
    )
    return {"p": flips, "test": "sign flips"}


def _counts(parts: Iterable[Part], found: Mapping[Quantity, Resampled]) -> dict:
    """Test subjects of the parts, each counted once, and the fewest seeds of an arm."""
    quantities = {quantity for part in parts for _, quantity in part.terms}
    subjects = {(q.cohort, q.metric): found[q].subjects for q in quantities}
    of_metric: Counter[str] = Counter()
    for (_, metric), count in subjects.items():
        of_metric[_SUBJECT_METRIC if metric.startswith(f"{_SUBJECT_METRIC}_") else metric] += count
    return {
        "subjects": max(of_metric.values()),
        "seeds": min(len(found[quantity].by_seed) for quantity in quantities),
    }


def _claim_row(claim: Claim, rows: Sequence[dict]) -> dict:
    """A row of claims.csv but for the mean over its parts."""
    run = [row for row in rows if "difference" in row]
    lower, upper = [row["lower"] for row in run], [row["upper"] for row in run]
    differences = [row["difference"] for row in run]
    return {
        "claim": claim.name,
        "section": claim.section,
        "text": claim.text,
        "parts": len(rows),
        "parts_run": len(run),
        "parts_above": sum(difference > 0 for difference in differences),
        "parts_surely_above": sum(end > 0 for end in lower),
        "parts_surely_below": sum(end < 0 for end in upper),
        "verdict": verdict_of_intervals(lower, upper, parts=len(rows)),
        "point_estimates": verdict_of_points(differences),
    }


def _mean_of_parts(parts: Sequence[Part], found: Mapping[Quantity, Resampled], rule: IntervalRule) -> dict:
    """The mean of all differences of a claim, with its interval."""
    if not parts:
        return {}
    samples = np.mean([difference_samples(part, found) for part in parts], axis=0)
    return _numbers(samples, parts, found, rule)


def _numbers(
    samples: np.ndarray, parts: Sequence[Part], found: Mapping[Quantity, Resampled], rule: IntervalRule
) -> dict:
    """A difference, its interval if every number in it is of enough subjects, subjects and seeds."""
    fewest = min(found[quantity].subjects for part in parts for _, quantity in part.terms)
    lower, upper = rule.interval(samples[1:], subjects=fewest)
    return {"difference": float(samples[0]), "lower": lower, "upper": upper} | _counts(parts, found)


def verdict_of_intervals(lower: Sequence[float], upper: Sequence[float], *, parts: int) -> str:
    """Judge a claim by the intervals of its parts.

    It holds if every part is above 0 with its whole interval, it does not hold if some part is below 0 with
    its whole interval, and it is undecided else. A claim of which some part was not run cannot hold.

    Args:
        lower: lower end of each part that was run, shape (parts that were run,).
        upper: upper end, same shape.
        parts: how many parts the claim has.
    """
    if not len(lower):
        return NOT_RUN
    if (np.asarray(upper, float) < 0).any():
        return DOES_NOT_HOLD
    return HOLDS if len(lower) == parts and (np.asarray(lower, float) > 0).all() else UNDECIDED


def verdict_of_points(differences: Sequence[float]) -> str:
    """Judge a claim by numbers alone: are "all", "some" or "none" of its differences above 0?

    Args:
        differences: one for each part that has a number.
    """
    if not len(differences):
        return NOT_RUN
    is_above = np.asarray(differences, float) > 0
    if is_above.all():
        return "all"
    return "some" if is_above.any() else "none"
