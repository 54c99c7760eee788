"""Every claim of the paper on this run: its differences with interval and p, and the verdict."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from spatial_erasing.evaluate.bootstrap import IntervalRule, two_sided_p
from spatial_erasing.evaluate.claims import CLAIMS
from spatial_erasing.evaluate.contrasts import Claim, Naming
from spatial_erasing.evaluate.paired import holm, sign_flip_p
from spatial_erasing.evaluate.parts import Part, parts_of
from spatial_erasing.evaluate.resamples import Quantity, Resampled
from spatial_erasing.evaluate.subject_dice import SubjectDice
from spatial_erasing.evaluate.verdicts import verdict_of_intervals, verdict_of_points
from spatial_erasing.seeds import hash_seed

COMPARISON_COLUMNS = (
    *("claim", "comparison", "cohort", "metric", "status"),
    *("difference", "lower", "upper", "p", "p_holm", "test", "subjects", "seeds"),
)
CLAIM_COLUMNS = (
    *("claim", "section", "text", "verdict", "point_estimates", "difference", "lower", "upper"),
    *("parts", "parts_run", "parts_above", "parts_surely_above", "parts_surely_below", "subjects", "seeds"),
)


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
        of_metric["dice_subject_mean" if metric.startswith("dice_subject_mean_") else metric] += count
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
    """The mean of all differences of a claim and its interval: what the claim amounts to in one number."""
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
