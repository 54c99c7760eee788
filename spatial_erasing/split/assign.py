"""Training, validation and test split as a pure function of names; no brain in two cohorts."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from spatial_erasing.ingest import records
from spatial_erasing.ingest.records import Row
from spatial_erasing.seeds import hash_fraction

Subject = tuple[str, str]  # cohort, subject


def stratified_order(scanners: Mapping[Subject, str], *, seed: int, purpose: str) -> list[Subject]:
    """Subjects in an order whose every prefix has each scanner in proportion.

    Within a scanner, subjects are ordered by a hash of seed, cohort and subject; the k-th of n subjects gets
    the position (k + u) / n, with u from a hash of the scanner's name. A cut at any position gives an exact
    count, stratified by scanner (Bengs et al. 2021, section 2.1): the same share of every scanner, to within
    one subject. If a subject is added and the count stays or grows by one, at most two older subjects cross
    the cut, and not two of one scanner.
    """
    strata = defaultdict(list)
    for subject, scanner in scanners.items():
        strata[scanner].append((hash_fraction(seed, purpose, *subject), subject))
    places = []
    for scanner, members in strata.items():
        # without an offset all small scanners would fall on the same side of a cut
        offset = hash_fraction(seed, purpose, "scanner", scanner)
        for k, (tie, subject) in enumerate(sorted(members)):
            places.append(((k + offset) / len(members), tie, subject))
    return [subject for _, _, subject in sorted(places)]


def split_sizes(sizes: Mapping[str, float], *, subjects: int, group: str) -> dict[str, int]:
    """Number of subjects per split, from counts or from fractions that add up to 1; 0 only if the size is 0.

    Args:
        sizes: split to a count (integers) or a fraction (numbers below 1, or exactly 1.0).

    Raises:
        ValueError: the counts do not add up to the subjects (the message has a line that fits), or a split
            would get none.
    """
    if all(isinstance(size, int) for size in sizes.values()):
        total = sum(sizes.values())
        if total != subjects:
            line = ", ".join(f"{split}: {size / max(total, 1):.4g}" for split, size in sizes.items())
            found = " + ".join(f"{split} {size}" for split, size in sizes.items())
            raise ValueError(
                f"{group} has {subjects} subjects, config.yaml splits it as {found} = {total}. For these "
                f"subjects in the same proportion write\n    {group}: {{{line}}}\nunder split.sizes."
            )
        return {split: int(size) for split, size in sizes.items()}
    require_fractions(sizes, group=group)
    # the last split gets the rest, so that rounding loses no subject
    *first, last = sizes
    counts = {split: round(sizes[split] * subjects) for split in first}
    counts[last] = subjects - sum(counts.values())
    for split, count in counts.items():
        if count < 1 and sizes[split] > 0:
            raise ValueError(
                f"{group}: the split {split} would get none of {subjects} subjects (size {sizes[split]}). "
                f"Add subjects or change split.sizes.{group}."
            )
    return counts


def require_fractions(sizes: Mapping[str, float], *, group: str) -> None:
    """Refuse fractions that do not add up to 1, and counts mixed with fractions."""
    total = sum(sizes.values())
    if all(isinstance(size, int) for size in sizes.values()) or abs(total - 1) <= 1e-3:
        return
    written = ", ".join(f"{split}: {size:g}" for split, size in sizes.items())
    line = ", ".join(f"{split}: {share:.3g}" for split, share in _as_fractions(sizes).items())
    is_mixed = max(sizes.values()) >= 1
    found = "mixes counts of subjects with fractions; they" if is_mixed else "has fractions that"
    raise ValueError(
        f"split.sizes.{group}: {{{written}}} {found} add up to {total:g}, expected 1. Write fractions, "
        f"such as\n    {group}: {{{line}}}\nor counts alone."
    )


def _as_fractions(sizes: Mapping[str, float]) -> dict[str, float]:
    """Fractions that add up to 1: given fractions stay and counts share the rest; else in proportion."""
    counts = {split: size for split, size in sizes.items() if size >= 1}
    rest = 1 - sum(size for split, size in sizes.items() if split not in counts)
    if not counts or rest <= 0:
        counts, rest = dict(sizes), 1.0
    scaled = {split: rest * size / sum(counts.values()) for split, size in counts.items()}
    return {split: scaled.get(split, size) for split, size in sizes.items()}


def assign_splits(
    scanners: Mapping[Subject, str], *, sizes: Mapping[str, float], seed: int, group: str
) -> dict[Subject, str]:
    """The split of every subject; the smaller split is cut first from the stratified order."""
    counts = split_sizes(sizes, subjects=len(scanners), group=group)
    order = stratified_order(scanners, seed=seed, purpose="split")
    assigned, first = {}, 0
    # by size, not by count, so that halves of 5 and of 6 subjects are cut in the same order
    for split in sorted(sizes, key=lambda name: (sizes[name], name)):
        for subject in order[first : first + counts[split]]:
            assigned[subject] = split
        first += counts[split]
    return assigned


def require_lesions(
    splits: Mapping[Subject, str], scan_rows: Iterable[Mapping[str, str]], *, group: str
) -> None:
    """Refuse a lesion cohort with a split without any lesion mask, since it has no Dice and no threshold.

    Args:
        scan_rows: the scans, with a JSON list of mask files in `lesion`; phantoms made directly on the grid
            have no list there.
    """
    labelled = {(row["cohort"], row["subject"]) for row in scan_rows if row["lesion"] != "[]"}
    for split in sorted(set(splits.values())):
        members = [subject for subject, place in splits.items() if place == split]
        if labelled.isdisjoint(members):
            raise ValueError(
                f"{group}: none of the {len(members)} subjects of the {split} split has a lesion mask; "
                "expected at least one. docs/data.md says where each reader looks for masks. Add masks, or "
                f"remove {group} from study.lesion_cohorts."
            )


def training_ranks(scanners: Mapping[Subject, str], *, seed: int) -> dict[Subject, float]:
    """Rank of each training subject in [0, 1), stratified by scanner: ranks below 0.2 are the nested 20 %.

    The paper's training fractions (Bengs et al. 2021, Figure 5), nested so that a larger fraction contains
    the smaller ones.
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


def fit_summary(
    rows: Iterable[Mapping[str, str]],
    *,
    groups: Mapping[str, Sequence[str]],
    sizes: Mapping[str, Mapping[str, float]],
    seed: int,
) -> str:
    """One line per group of cohorts that is split together: the counts per split, or the line to write."""
    rows, lines = list(rows), []
    for group, cohorts in groups.items():
        members = [row for row in rows if row["cohort"] in cohorts]
        try:
            counts = Counter(split_scans(members, sizes=sizes[group], seed=seed, group=group).values())
            fit = "fits, " + ", ".join(f"{split} {counts[split]}" for split in sizes[group])
        except ValueError as error:
            fit = "DOES NOT FIT. " + str(error).replace("\n", "\n  ")
        lines.append(f"{group}: {fit}")
    return "\n".join(lines)


def scanners_of(scan_rows: Iterable[Mapping[str, str]]) -> dict[Subject, str]:
    """The scanner of every subject with a found scan."""
    return {(row["cohort"], row["subject"]): row["scanner"] for row in scan_rows if row["status"] == "found"}


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


def require_own_brains(rows: Iterable[Row]) -> None:
    """Refuse a scan that two cohorts hold."""
    if found := shared_brains(rows):
        raise ValueError(found)


def shared_brains(rows: Iterable[Row]) -> str:
    """What is said of scans that two cohorts hold, with the lines that leave one of each out; "" if none."""
    files, lines = [], dict[str, None]()
    for kept, row in _pairs(records.found_rows(rows)):
        unit = ", in another unit" if records.content_of(kept) != records.content_of(row) else ""
        named = [f"{one['path']} ({records.name_of(one)})" for one in (kept, row)]
        files.append(f"  {' and '.join(named)}{unit}")
        # the one without a lesion mask is to go; if both are alike, the second
        out, other = sorted((row, kept), key=lambda one: one["lesion"] != "[]")
        line = records.exclusion_line(out, f"the same scan as {other['cohort']} {other['subject']}")
        lines[f"  {line}"] = None
    if not files:
        return ""
    count = f"{len(files)} scan{'s lie' if len(files) > 1 else ' lies'}"
    advice = (
        "Expected each brain in one cohort: else it could train a network and test it. Write these lines\n"
        "into a table, and its path under ingest.exclude in config.yaml, and run the same command again:"
    )
    header = f"  {records.EXCLUSION_HEADER}"
    return "\n".join([f"{count} in two cohorts, by the same voxels:", *files, advice, header, *lines])


def _pairs(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Each scan that repeats an earlier one, behind that one."""
    first: dict[str, Row] = {}
    names = {records.name_of(row): row for row in rows}
    pairs = []
    for row in rows:
        kept = first.setdefault(records.content_of(row), row) if row["sha256"] else row
        if kept is row:
            kept = names.get(row.get(records.SAME_BRAIN, ""), row)
        if kept is not row:
            pairs.append((kept, row))
    return pairs
