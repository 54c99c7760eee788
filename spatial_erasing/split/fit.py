"""Check before any computation whether the subjects found fit split.sizes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from spatial_erasing.cohorts import scanners_of
from spatial_erasing.split.assign import Subject, assign_splits, require_lesions


def fit_summary(
    rows: Iterable[Mapping[str, str]],
    *,
    groups: Mapping[str, Sequence[str]],
    sizes: Mapping[str, Mapping[str, float]],
    seed: int,
) -> str:
    """One line per group of cohorts that is split together: the counts per split, or the line to write.

    Args:
        rows: scans of all cohorts, found and skipped.
        groups: name under split.sizes to the cohorts that are split together.
        sizes: group to split to a count or a fraction.
        seed: of the split.
    """
    rows = list(rows)
    lines = []
    for group, cohorts in groups.items():
        members = [row for row in rows if row["cohort"] in cohorts]
        lines.append(f"{group}: {_fit(members, sizes=sizes[group], seed=seed, group=group)}")
    return "\n".join(lines)


def _fit(rows: Sequence[Mapping[str, str]], *, sizes: Mapping[str, float], seed: int, group: str) -> str:
    """The counts per split of these scans, or the error of the split."""
    try:
        counts = Counter(split_scans(rows, sizes=sizes, seed=seed, group=group).values())
    except ValueError as error:
        return "DOES NOT FIT. " + str(error).replace("\n", "\n  ")
    return "fits, " + ", ".join(f"{split} {counts[split]}" for split in sizes)


def split_scans(
    rows: Sequence[Mapping[str, str]], *, sizes: Mapping[str, float], seed: int, group: str
) -> dict[Subject, str]:
    """The split of every subject with a found scan.

    Raises:
        ValueError: sizes that do not fit, an empty split, or a lesion cohort's split without a lesion mask.
    """
    splits = assign_splits(scanners_of(rows), sizes=sizes, seed=seed, group=group)
    if "test" in sizes:
        require_lesions(splits, rows, group=group)
    return splits
