import json
import os
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spatial_erasing.cohorts import members
from spatial_erasing.split.assign import (
    assign_splits,
    require_lesions,
    split_rows,
    split_sizes,
    stratified_order,
    training_ranks,
)

# 2008 healthy subjects of 22 scanners, from 4 to 172 subjects each, as the paper's multi-site cohort
PAPER_SCANNERS = [
    4,
    12,
    21,
    29,
    38,
    46,
    54,
    63,
    71,
    79,
    88,
    96,
    105,
    113,
    121,
    130,
    138,
    146,
    155,
    163,
    172,
    164,
]
SCANNER_SIZES = st.lists(st.integers(1, 25), min_size=1, max_size=6)
SEEDS = st.integers(0, 1000)


def cohort(scanner_sizes, name="healthy"):
    """Subjects of scanners of these sizes, (cohort, subject) to scanner."""
    return {
        (name, f"sub-{scanner:02d}{number:04d}"): f"scanner-{scanner}"
        for scanner, size in enumerate(scanner_sizes)
        for number in range(size)
    }


def counts_of(scanners, chosen):
    """How many of each scanner's subjects are chosen, and how many it has."""
    chosen_of, all_of = Counter(scanners[subject] for subject in chosen), Counter(scanners.values())
    return [(chosen_of[scanner], size) for scanner, size in all_of.items()]


def require_one_share(scanners, chosen):
    """There is one share of which every scanner's count is less than one subject away."""
    counts = counts_of(scanners, chosen)
    assert max((count - 1) / size for count, size in counts) < min(
        (count + 1) / size for count, size in counts
    )


@pytest.mark.parametrize(
    ("sizes", "scanners"),
    [
        ({"training": 1807, "validation": 201}, cohort(PAPER_SCANNERS)),
        ({"validation": 133, "test": 202}, cohort([200, 100, 35], "brats")),
        ({"validation": 121, "test": 183}, cohort([34] * 8 + [32], "atlas")),
        ({"validation": 0, "test": 9}, cohort([4, 5])),
    ],
)
def test_counts_are_kept_exactly_and_nobody_is_lost_or_counted_twice(sizes, scanners):
    splits = assign_splits(scanners, sizes=sizes, seed=1, group="healthy")
    assert set(splits) == set(scanners)
    assert Counter(splits.values()) == {split: size for split, size in sizes.items() if size}


@settings(deadline=None)  # a busy machine is no failure
@given(sizes=SCANNER_SIZES, seed=SEEDS, share=st.floats(0.05, 0.95))
def test_fractions_become_the_nearest_counts(sizes, seed, share):
    scanners = cohort(sizes)
    assume(0.5 < share * len(scanners) < len(scanners) - 0.5)
    splits = assign_splits(scanners, sizes={"training": share, "validation": 1 - share}, seed=seed, group="g")
    assert Counter(splits.values())["training"] == pytest.approx(share * len(scanners), abs=0.5 + 1e-9)
    assert Counter(splits.values()).total() == len(scanners)


@settings(deadline=None)
@given(sizes=SCANNER_SIZES, seed=SEEDS)
def test_every_cut_takes_the_same_share_of_every_scanner(sizes, seed):
    scanners = cohort(sizes)
    order = stratified_order(scanners, seed=seed, purpose="split")
    assert sorted(order) == sorted(scanners)
    for cut in range(1, len(order)):
        require_one_share(scanners, order[:cut])


@pytest.mark.parametrize("seed", range(1, 9))
def test_the_paper_s_validation_split_holds_a_tenth_of_each_of_22_scanners(seed):
    scanners = cohort(PAPER_SCANNERS)
    splits = assign_splits(scanners, sizes={"training": 1807, "validation": 201}, seed=seed, group="healthy")
    validation = [subject for subject, split in splits.items() if split == "validation"]
    require_one_share(scanners, validation)
    # 22 roundings may move the common share itself a little from 201 / 2008
    away = [abs(count - size * 201 / 2008) for count, size in counts_of(scanners, validation)]
    assert max(away) < 1.25 and np.mean(away) < 0.5


@settings(deadline=None, max_examples=150)
@given(
    sizes=SCANNER_SIZES,
    seed=SEEDS,
    share=st.sampled_from([0.1, 0.25, 0.4, 0.5, 0.9]),
    scanner=st.integers(0, 6),
    name=st.text("abc", min_size=1, max_size=4),
)
def test_an_added_subject_moves_at_most_two_others_and_not_two_of_one_scanner(
    sizes, seed, share, scanner, name
):
    """Also where the counts follow from fractions and one of them grows by the new subject."""
    scanners, fractions = cohort(sizes), {"validation": share, "test": 1 - share}
    larger = scanners | {("healthy", name): f"scanner-{scanner}"}
    assume(all(0 < round(share * len(subjects)) < len(subjects) for subjects in (scanners, larger)))
    before = assign_splits(scanners, sizes=fractions, seed=seed, group="g")
    after = assign_splits(larger, sizes=fractions, seed=seed, group="g")
    moved = Counter(scanners[subject] for subject in scanners if before[subject] != after[subject])
    assert moved.total() <= 2 and max(moved.values(), default=0) <= 1


def test_an_added_subject_that_grows_the_training_split_hardly_touches_the_paper_s_validation_split():
    scanners = cohort(PAPER_SCANNERS)
    before = assign_splits(scanners, sizes={"training": 1807, "validation": 201}, seed=1, group="healthy")
    for scanner in range(0, 22, 3):
        larger = scanners | {("healthy", "sub-new"): f"scanner-{scanner}"}
        after = assign_splits(larger, sizes={"training": 1808, "validation": 201}, seed=1, group="healthy")
        assert sum(before[subject] != after[subject] for subject in scanners) <= 2


def test_halves_do_not_change_places_when_a_subject_makes_them_equal():
    """5 subjects are cut 2 and 3, 6 are cut 3 and 3: the order of cutting must not turn round."""
    halves = {"validation": 0.5, "test": 0.5}
    five, six = (assign_splits(cohort([n]), sizes=halves, seed=3, group="g") for n in (5, 6))
    assert sum(five[subject] != six[subject] for subject in five) <= 1


def test_the_order_in_which_subjects_are_listed_does_not_matter():
    scanners = cohort([7, 9, 3])
    backwards = dict(reversed(scanners.items()))
    sizes = {"training": 12, "validation": 7}
    first, second = (assign_splits(some, sizes=sizes, seed=2, group="g") for some in (scanners, backwards))
    assert first == second
    assert split_rows(first, scanners, seed=2) == split_rows(second, backwards, seed=2)


def test_another_seed_another_cohort_name_and_another_purpose_give_another_order():
    scanners, renamed = cohort([40, 30]), cohort([40, 30], "other")
    orders = [
        stratified_order(scanners, seed=1, purpose="split"),
        stratified_order(scanners, seed=2, purpose="split"),
        stratified_order(scanners, seed=1, purpose="fraction"),
        [("healthy", name) for _, name in stratified_order(renamed, seed=1, purpose="split")],
    ]
    assert len({tuple(order) for order in orders}) == 4
    for one, other in pairwise(orders):
        assert (
            abs(np.corrcoef([one.index(s) for s in scanners], [other.index(s) for s in scanners])[0, 1]) < 0.4
        )


@pytest.mark.parametrize("python_hash_seed", ["0", "12345"])
def test_another_process_with_another_hash_seed_gives_the_same_split(python_hash_seed):
    scanners = cohort([30, 20, 11])
    code = (
        "import json, sys\n"
        "from spatial_erasing.split.assign import assign_splits, split_rows\n"
        "scanners = {tuple(name): scanner for name, scanner in json.load(sys.stdin)}\n"
        "splits = assign_splits(scanners, sizes={'training': 50, 'validation': 11}, seed=4, group='g')\n"
        "print(json.dumps(split_rows(splits, scanners, seed=4)))\n"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(list(scanners.items())),
        env=os.environ | {"PYTHONHASHSEED": python_hash_seed, "PYTHONPATH": "."},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    splits = assign_splits(scanners, sizes={"training": 50, "validation": 11}, seed=4, group="g")
    assert json.loads(printed) == split_rows(splits, scanners, seed=4)


@settings(deadline=None)
@given(sizes=SCANNER_SIZES, seed=SEEDS)
def test_training_fractions_are_nested_exact_and_stratified(sizes, seed):
    scanners = cohort(sizes)
    ranks = training_ranks(scanners, seed=seed)
    assert sorted(ranks.values()) == [place / len(scanners) for place in range(len(scanners))]
    chosen, same = {}, {"cohort": "healthy", "split": "training"}
    rows = [same | {"subject": subject, "training_rank": str(rank)} for subject, rank in ranks.items()]
    for percent in (10, 20, 60, 100):
        found = members(rows, split="training", fraction_percent=percent)
        chosen[percent] = {subject for _, subject in found}
        assert len(chosen[percent]) == -(-percent * len(scanners) // 100), (
            "rounded up, so that nobody trains on nothing"
        )
        require_one_share(scanners, chosen[percent])
    assert chosen[10] <= chosen[20] <= chosen[60] <= chosen[100] == set(scanners)


def test_the_paper_s_fractions_survive_the_text_of_a_csv_file():
    scanners = cohort(PAPER_SCANNERS)
    splits = assign_splits(scanners, sizes={"training": 1807, "validation": 201}, seed=1, group="healthy")
    rows = [{key: str(value) for key, value in row.items()} for row in split_rows(splits, scanners, seed=1)]
    sizes = {p: len(members(rows, split="training", fraction_percent=p)) for p in (10, 20, 60, 100)}
    assert sizes == {10: 181, 20: 362, 60: 1085, 100: 1807}
    assert len(members(rows, split="validation", fraction_percent=10)) == 201, (
        "the validation split stays whole"
    )


def test_who_trains_first_has_nothing_to_do_with_who_validates():
    """Else the subjects of 10 % would be those that a slightly larger validation split would have taken."""
    scanners = cohort(PAPER_SCANNERS)
    ranks = training_ranks(scanners, seed=1)
    order = stratified_order(scanners, seed=1, purpose="split")
    assert abs(np.corrcoef([ranks[subject] for subject in order], range(len(order)))[0, 1]) < 0.1


def test_rows_name_every_subject_once_and_only_training_subjects_have_a_rank():
    scanners = cohort([5, 4])
    splits = assign_splits(scanners, sizes={"training": 6, "validation": 3}, seed=1, group="g")
    rows = split_rows(splits, scanners, seed=1)
    assert [(row["cohort"], row["subject"]) for row in rows] == sorted(scanners)
    for row in rows:
        subject = row["cohort"], row["subject"]
        assert (row["scanner"], row["split"]) == (scanners[subject], splits[subject])
        assert (row["training_rank"] == "") == (row["split"] != "training")


@pytest.mark.parametrize("subjects", [2007, 2009, 31, 150])
def test_counts_that_do_not_fit_print_a_line_that_does(subjects):
    with pytest.raises(ValueError, match=rf"healthy has {subjects} subjects, .* = 2008") as error:
        split_sizes({"training": 1807, "validation": 201}, subjects=subjects, group="healthy")
    assert "training 1807 + validation 201" in str(error.value) and "under split.sizes" in str(error.value)
    line = re.search(r"^ +(healthy: \{.*\})$", str(error.value), flags=re.MULTILINE).group(1)
    counts = split_sizes(yaml.safe_load(line)["healthy"], subjects=subjects, group="healthy")
    assert sum(counts.values()) == subjects
    assert counts["validation"] == pytest.approx(subjects * 201 / 2008, abs=0.6)


@pytest.mark.parametrize(
    "sizes", [{"training": 0.9, "validation": 0.2}, {"training": 0.5, "validation": 0.4}]
)
def test_fractions_that_are_not_the_whole_are_refused(sizes):
    with pytest.raises(
        ValueError, match=rf"split\.sizes\.atlas.*add up to {sum(sizes.values()):g}, expected 1"
    ):
        split_sizes(sizes, subjects=100, group="atlas")


def test_a_split_that_would_be_empty_is_refused():
    with pytest.raises(ValueError, match=r"the split validation would get none of 3 subjects \(size 0\.1\)"):
        assign_splits(cohort([3]), sizes={"training": 0.9, "validation": 0.1}, seed=1, group="healthy")


SPLITS = {("mine", f"s{k}"): split for k, split in enumerate(["validation", "validation", "test", "test"])}


def scans_of(lesions):
    return [
        {"cohort": "mine", "subject": f"s{k}", "lesion": lesion, "status": "found"}
        for k, lesion in enumerate(lesions)
    ]


@pytest.mark.parametrize("lesions", [["[]", '["a"]', '["b"]', "[]"], ["", "", "", ""]])
def test_a_split_with_one_lesion_mask_is_enough(lesions):
    require_lesions(SPLITS, scans_of(lesions), group="mine")


@pytest.mark.parametrize(
    "lesions, split",
    [
        (["[]"] * 4, "test"),
        (['["a"]', "[]", "[]", "[]"], "test"),
        (["[]", "[]", '["a"]', "[]"], "validation"),
    ],
)
def test_a_split_without_any_lesion_mask_is_refused_before_anything_is_trained(lesions, split):
    with pytest.raises(
        ValueError, match=rf"mine: none of the 2 subjects of the {split} split has a lesion mask"
    ):
        require_lesions(SPLITS, scans_of(lesions), group="mine")
