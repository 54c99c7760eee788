from collections import Counter

import pytest

from spatial_erasing.split.assign import assign_splits, fit_summary


def rows_of(cohort, count, *, skipped=0):
    return [
        {
            "cohort": cohort,
            "subject": f"{cohort}-{number}",
            "scanner": f"scanner {number % 3}",
            "status": "found" if number < count else "skipped",
            "lesion": '["mask.nii.gz"]' if number % 2 else "[]",
        }
        for number in range(count + skipped)
    ]


def fit(rows, sizes, groups=None):
    groups = groups or {group: [group] for group in sizes}
    return fit_summary(rows, groups=groups, sizes=sizes, seed=3).splitlines()


def test_the_counts_are_those_of_the_split_itself():
    rows = rows_of("ixi", 17, skipped=5) + rows_of("oasis", 6)
    sizes = {"training": 0.7, "validation": 0.3}
    scanners = {(row["cohort"], row["subject"]): row["scanner"] for row in rows if row["status"] == "found"}
    counts = Counter(assign_splits(scanners, sizes=sizes, seed=3, group="healthy").values())
    assert fit(rows, {"healthy": sizes}, {"healthy": ["ixi", "oasis"]}) == [
        f"healthy: fits, training {counts['training']}, validation {counts['validation']}"
    ]
    assert sum(counts.values()) == 23


def test_counts_that_do_not_fit_come_with_the_line_to_write():
    sizes = {"brats": {"validation": 2, "test": 3}, "atlas": {"validation": 2, "test": 3}}
    assert fit(rows_of("brats", 4) + rows_of("atlas", 5), sizes) == [
        "brats: DOES NOT FIT. brats has 4 subjects, config.yaml splits it as validation 2 + test 3 = 5. For "
        "these subjects in the same proportion write",
        "      brats: {validation: 0.4, test: 0.6}",
        "  under split.sizes.",
        "atlas: fits, validation 2, test 3",
    ]


@pytest.mark.parametrize("count", [0, 1])
def test_a_split_that_would_be_empty_does_not_fit(count):
    (line,) = fit(rows_of("atlas", count), {"atlas": {"validation": 0.4, "test": 0.6}})
    assert line.startswith("atlas: DOES NOT FIT. ") and "would get none of" in line


def test_a_split_that_nobody_asked_for_is_no_problem():
    assert fit(rows_of("atlas", 4), {"atlas": {"validation": 0, "test": 1.0}}) == [
        "atlas: fits, validation 0, test 4"
    ]


def test_a_lesion_cohort_without_masks_does_not_fit_and_healthy_subjects_need_none():
    rows = [row | {"lesion": "[]"} for row in rows_of("healthy", 5) + rows_of("atlas", 5)]
    sizes = {"healthy": {"training": 0.6, "validation": 0.4}, "atlas": {"validation": 2, "test": 3}}
    healthy, atlas = fit(rows, sizes)
    assert healthy == "healthy: fits, training 3, validation 2"
    assert atlas.startswith(
        "atlas: DOES NOT FIT. atlas: none of the 3 subjects of the test split has a lesion"
    )
