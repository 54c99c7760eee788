"""Subject-wise Dice over lesion size: the points of Figure 4 and the regression through them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.polynomial import Polynomial

FEWEST_LESIONS = 8  # with fewer, a polynomial of four coefficients follows the noise
_DEGREE = 3  # "polynomial regression of order three" (Bengs et al. 2021, Figure 4)

Points = dict[str, dict[str, pd.DataFrame]]


def lesion_points(subjects: pd.DataFrame, *, models: Sequence[str]) -> Points:
    """Cohort -> model -> one row a test subject that has a lesion on the grid: lesion_voxels, dice.

    Dice is the mean of the seeds, from training on all subjects.

    Args:
        subjects: `subjects.csv` of all runs, the rows of one sequence.
        models: that are compared, hence on the same test subjects.

    Raises:
        ValueError: a model was not evaluated on the test subjects of the others, once a seed.
    """
    rows = subjects[(subjects["fraction_percent"] == 100) & subjects["model"].isin(models)]
    if rows.empty:
        raise ValueError(
            f"subjects.csv has no row of {', '.join(models)} (100 % of the training data). Evaluate "
            "these models, or name others in study.models."
        )
    points: Points = {}
    for cohort, of_cohort in rows.groupby("cohort", sort=False):
        names = set(of_cohort["subject"])
        points[cohort] = {}
        for model in models:
            of_model = of_cohort[of_cohort["model"] == model]
            _require_all(of_model, names, model=model, cohort=cohort)
            points[cohort][model] = _mean_of_seeds(of_model)
    return points


def _require_all(rows: pd.DataFrame, names: set[str], *, model: str, cohort: str) -> None:
    """Refuse a model that lacks a subject, or has one twice, with some seed."""
    found = rows.groupby(["subject", "seed"]).size().unstack(fill_value=0)
    if set(found.index) != names or (found != 1).any(axis=None):
        raise ValueError(
            f"subjects.csv has {len(rows)} rows of {len(found)} subjects of {cohort} for {model} (100 % "
            f"of the training data); expected each of the {len(names)} test subjects that the models have "
            "together, once a seed. Evaluate this model again, or take it out of study.models."
        )


def _mean_of_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a subject; those without a lesion on the grid have no Dice and no place on a log axis."""
    points = rows.groupby("subject").agg(
        lesion_voxels=("lesion_voxels", "first"), dice=("dice", "mean"), seeds=("seed", "nunique")
    )
    return points[points["lesion_voxels"] > 0]


def count_without_lesion(subjects: pd.DataFrame, *, models: Sequence[str]) -> dict[str, int]:
    """Cohort -> test subjects whose lesion keeps no voxel on the grid, where there are any."""
    rows = subjects[subjects["model"].isin(models)]
    lost = rows[rows["lesion_voxels"] == 0]
    return lost.groupby("cohort", sort=False)["subject"].nunique().to_dict()


def cubic_regression(sizes: Sequence[float], percent: Sequence[float]) -> Polynomial | None:
    """The least-squares polynomial of order three in the lesion size; None where `why_no_line` objects."""
    if why_no_line(sizes):
        return None
    return Polynomial.fit(np.asarray(sizes, dtype=float), np.asarray(percent, dtype=float), deg=_DEGREE)


def why_no_line(sizes: Sequence[float]) -> str:
    """What to say where lesions are too few, or too alike, for a cubic; "" where they are not."""
    different = len(np.unique(sizes))
    if len(sizes) < FEWEST_LESIONS:
        return f"no regression: {len(sizes)} lesions, at least {FEWEST_LESIONS} needed"
    if different <= _DEGREE:
        return f"no regression: {different} different sizes, at least {_DEGREE + 1} needed"
    return ""
