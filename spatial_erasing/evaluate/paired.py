"""Tests of one model against another on the same subjects, and what many tests cost."""

import numpy as np


def sign_flip_p(differences: np.ndarray, *, samples: int, seed: int) -> float:
    """Return the two-sided p of the mean of paired differences, by exchanging the models subject by subject.

    If both models were equal, each difference could as well have the other sign (Fisher 1935, "The Design of
    Experiments", section 21). All 2^n ways are tried where there are no more than `samples`, else `samples`
    random ones beside the one observed.

    Args:
        differences: one a subject, shape (subjects,); NaN ones are left out.
        samples: ways to try.
        seed: of the random ways.

    Returns:
        A value in (0, 1]; NaN without a subject.
    """
    differences = differences[np.isfinite(differences)]
    subjects = len(differences)
    if not subjects:
        return float("nan")
    observed = abs(differences.sum())
    is_all = 2**subjects <= samples
    signs = _all_signs(subjects) if is_all else _random_signs(subjects, samples, seed)
    # sums of the same numbers in another order may differ in the last digit
    extreme = int((np.abs(signs @ differences) >= observed * (1 - 1e-12)).sum())
    return extreme / len(signs) if is_all else (extreme + 1) / (len(signs) + 1)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Return p-values corrected for their number; NaN ones count for nothing.

    Holm (1979), "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6: the k-th
    smallest of m is multiplied by m - k + 1, and none falls below a smaller one.

    Args:
        p_values: shape (tests,).
    """
    corrected = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(np.isfinite(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    factors = len(order) - np.arange(len(order))
    corrected[order] = np.minimum(1, np.maximum.accumulate(factors * p_values[order]))
    return corrected


def _all_signs(subjects: int) -> np.ndarray:
    """Every way to sign the subjects, shape (2^subjects, subjects)."""
    return 1.0 - 2 * ((np.arange(2**subjects)[:, None] >> np.arange(subjects)) & 1)


def _random_signs(subjects: int, samples: int, seed: int) -> np.ndarray:
    return 1.0 - 2 * np.random.default_rng(seed).integers(0, 2, size=(samples, subjects))
