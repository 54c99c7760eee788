"""Whether the subjects that were found can be split as the config says, before anything is computed."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from spatial_erasing.cohorts import scanners_of
from spatial_erasing.split.assign import assign_splits


def fit_summary(
    rows: Iterable[Mapping[str, str]],
    *,
    groups: Mapping[str, Sequence[str]],
    sizes: Mapping[str, Mapping[str, float]],
    seed: int,
) -> str:
    """A line for each group that is split together: how many subjects go where, or the line to write.

    Args:
        rows: scans of all cohorts, found and skipped.
        groups: the name under split.sizes to the cohorts that are split together.
        sizes: group to split to a count or a fraction.
        seed: of the split.
    """
    scanners = scanners_of(rows)
    lines = []
    for group, cohorts in groups.items():
        members = {subject: scanner for subject, scanner in scanners.items() if subject[0] in cohorts}
        lines.append(f"{group}: {_fit(members, sizes=sizes[group], seed=seed, group=group)}")
    return "\n".join(lines)


def _fit(
    scanners: Mapping[tuple[str, str], str], *, sizes: Mapping[str, float], seed: int, group: str
) -> str:
    """What the split itself would say of these subjects."""
    try:
        counts = Counter(assign_splits(scanners, sizes=sizes, seed=seed, group=group).values())
    except ValueError as error:
        return "DOES NOT FIT. " + str(error).replace("\n", "\n  ")
    return "fits, " + ", ".join(f"{split} {counts[split]}" for split in sizes)
