"""Who trains, validates and tests: a pure function of names, the same on every machine."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from spatial_erasing.seeds import hash_fraction

Subject = tuple[str, str]  # cohort, subject


def stratified_order(scanners: Mapping[Subject, str], *, seed: int, purpose: str) -> list[Subject]:
    """Subjects in an order of which every prefix holds each scanner in proportion.

    Within a scanner the order is that of a hash of seed, cohort and subject; the k-th of a scanner's n
    subjects stands at (k + u) / n with u drawn from the scanner's name. Cutting the order at any place
    gives an exact count, stratified by scanner (Bengs et al. 2021, section 2.1): one and the same share of
    every scanner, to less than one subject. A subject more, and a cut with the same count or one more: at
    most two older subjects cross the cut, and not two of one scanner.

    Args:
        scanners: (cohort, subject) to scanner.
        seed: config value.
        purpose: keeps the orders of independent decisions independent ("split", "fraction").
    """
    strata = defaultdict(list)
    for subject, scanner in scanners.items():
        strata[scanner].append((hash_fraction(seed, purpose, *subject), subject))
    places = []
    for scanner, members in strata.items():
        offset = hash_fraction(seed, purpose, "scanner", scanner)
        for k, (tie, subject) in enumerate(sorted(members)):
            places.append(((k + offset) / len(members), tie, subject))
    return [subject for _, _, subject in sorted(places)]


def split_sizes(sizes: Mapping[str, float], *, subjects: int, group: str) -> dict[str, int]:
    """Counts a split, from counts or from fractions that add up to the whole.

    Args:
        sizes: split to a count (integers) or a fraction (numbers below 1, or exactly 1.0).
        subjects: how many there are.
        group: named in the error.

    Raises:
        ValueError: the counts do not add up to the subjects, with the line that would fit.
    """
    if all(isinstance(size, int) for size in sizes.values()):
        if sum(sizes.values()) != subjects:
            total = max(sum(sizes.values()), 1)
            line = ", ".join(f"{split}: {size / total:.4g}" for split, size in sizes.items())
            found = " + ".join(f"{split} {size}" for split, size in sizes.items())
            raise ValueError(
                f"{group} has {subjects} subjects, config.yaml splits it as {found} = "
                f"{sum(sizes.values())}. For these subjects in the same proportion write\n"
                f"    {group}: {{{line}}}\nunder split.sizes."
            )
        return {split: int(size) for split, size in sizes.items()}
    require_fractions(sizes, group=group)
    *first, last = sizes
    counts = {split: round(sizes[split] * subjects) for split in first}
    return counts | {last: subjects - sum(counts.values())}


def require_fractions(sizes: Mapping[str, float], *, group: str) -> None:
    """Refuse sizes that fit no number of subjects; counts alone fit one.

    Raises:
        ValueError: fractions that do not add up to 1, or counts beside fractions, with a line that would do.
    """
    total = sum(sizes.values())
    if all(isinstance(size, int) for size in sizes.values()) or abs(total - 1) <= 1e-3:
        return
    written = ", ".join(f"{split}: {size:g}" for split, size in sizes.items())
    line = ", ".join(f"{split}: {share:.3g}" for split, share in _as_fractions(sizes).items())
    found = (
        "mixes counts of subjects with fractions; they" if max(sizes.values()) >= 1 else "has fractions that"
    )
    raise ValueError(
        f"split.sizes.{group}: {{{written}}} {found} add up to {total:g}, expected 1. Write fractions, "
        f"such as\n    {group}: {{{line}}}\nor counts alone."
    )


def _as_fractions(sizes: Mapping[str, float]) -> dict[str, float]:
    """Fractions that add up to 1: those that are written, and the rest for the counts; else in proportion."""
    counts = {split: size for split, size in sizes.items() if size >= 1}
    rest = 1 - sum(size for split, size in sizes.items() if split not in counts)
    if not counts or rest <= 0:
        counts, rest = dict(sizes), 1.0
    scaled = {split: rest * size / sum(counts.values()) for split, size in counts.items()}
    return {split: scaled.get(split, size) for split, size in sizes.items()}


def filled_sizes(sizes: Mapping[str, float], *, subjects: int, group: str) -> dict[str, int]:
    """The counts of `split_sizes`, none of them 0 but where the config says so.

    Raises:
        ValueError: sizes that do not fit, or a split that would be empty though its size is not zero.
    """
    counts = split_sizes(sizes, subjects=subjects, group=group)
    for split, count in counts.items():
        if count < 1 and sizes[split] > 0:
            raise ValueError(
                f"{group}: the split {split} would hold no subject of {subjects} (size {sizes[split]}). "
                f"Add subjects or change split.sizes.{group}."
            )
    return counts


def assign_splits(
    scanners: Mapping[Subject, str], *, sizes: Mapping[str, float], seed: int, group: str
) -> dict[Subject, str]:
    """The split of every subject; the split of smaller size is cut first from the stratified order.

    Raises:
        ValueError: sizes that do not fit, or a split that would be empty though its size is not zero.
    """
    counts = filled_sizes(sizes, subjects=len(scanners), group=group)
    order = stratified_order(scanners, seed=seed, purpose="split")
    assigned, first = {}, 0
    # by size, not by count: halves of 5 and of 6 subjects are then cut in the same order
    for split in sorted(sizes, key=lambda name: (sizes[name], name)):
        for subject in order[first : first + counts[split]]:
            assigned[subject] = split
        first += counts[split]
    return assigned


def require_lesions(
    splits: Mapping[Subject, str], scan_rows: Iterable[Mapping[str, str]], *, group: str
) -> None:
    """Refuse a lesion cohort of which a whole split has no lesion mask: it has no Dice, hence no threshold.

    Args:
        splits: the split of every subject of the group.
        scan_rows: the scans, with the mask files in `lesion`, a list in JSON; phantoms that are made straight
            on the grid name no files there.
        group: named in the error.

    Raises:
        ValueError: a validation or test split of which no subject has a mask.
    """
    labelled = {(row["cohort"], row["subject"]) for row in scan_rows if row["lesion"] != "[]"}
    for split in sorted(set(splits.values())):
        members = [subject for subject, place in splits.items() if place == split]
        if labelled.isdisjoint(members):
            raise ValueError(
                f"{group}: none of the {len(members)} subjects of the {split} split has a lesion mask; "
                "expected one at least. docs/data.md says where each reader looks for masks. Add them, or "
                f"take {group} out of study.lesion_cohorts."
            )


def training_ranks(scanners: Mapping[Subject, str], *, seed: int) -> dict[Subject, float]:
    """Place of each training subject in [0, 1): below 0.2 are the nested 20 %, stratified by scanner.

    The paper's training fractions (Bengs et al. 2021, Figure 5); nested, so that more data means the same
    data and more.
    """
    order = stratified_order(scanners, seed=seed, purpose="fraction")
    return {subject: place / len(order) for place, subject in enumerate(order)}


def split_rows(
    splits: Mapping[Subject, str], scanners: Mapping[Subject, str], *, seed: int
) -> list[dict[str, object]]:
    """Rows of `results/split/{group}.csv`, sorted by name; training subjects with their rank."""
    training = {subject: scanners[subject] for subject, split in splits.items() if split == "training"}
    ranks = training_ranks(training, seed=seed)
    return [
        {
            "cohort": cohort,
            "subject": name,
            "scanner": scanners[cohort, name],
            "split": splits[cohort, name],
            "training_rank": ranks.get((cohort, name), ""),
        }
        for cohort, name in sorted(splits)
    ]
