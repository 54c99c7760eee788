from spatial_erasing.ingest.listing import cohorts_summary, count_summary


def row(subject, sequence="t1", *, cohort="study", reason="", lesion="[]", scanner="Prisma"):
    return {
        "cohort": cohort,
        "subject": subject,
        "scanner": scanner,
        "sequence": sequence,
        "lesion": lesion,
        "status": "skipped" if reason else "found",
        "reason": reason,
    }


def test_a_summary_counts_what_was_found_and_skipped_with_an_example():
    rows = [
        row("A", "t1", lesion='["a.nii"]'),
        row("A", "t1ce", lesion='["a.nii"]'),
        row("B", "t1", reason="unreadable: b.nii: is empty"),
        row("B", "t1ce", reason="incomplete subject: b"),
        *(
            row(name, sequence, reason="no lesion mask: x")
            for name in ("C", "D")
            for sequence in ("t1", "t1ce")
        ),
    ]
    assert count_summary(rows, excluded={}).splitlines() == [
        "study: 2 scans of 1 subject found (t1 1, t1ce 1; 2 with a lesion mask; 1 scanner), 6 skipped",
        "  4 × no lesion mask, such as C t1",
        "  1 × incomplete subject, such as B t1ce",
        "  1 × unreadable, such as B t1",
    ]


def test_scanners_of_skipped_scans_do_not_count():
    rows = [row("A"), row("B", scanner="Skyra"), row("C", scanner="Aera", reason="unreadable: x")]
    assert "(t1 2; 0 with a lesion mask; 2 scanners), 1 skipped" in count_summary(rows, excluded={})


def test_a_cohort_of_which_nothing_is_usable_says_so():
    assert count_summary([row("A", reason="unreadable: x")], excluded={}).splitlines()[0] == (
        "study: 0 scans of 0 subjects found (none; 0 with a lesion mask; 0 scanners), 1 skipped"
    )


def test_an_exclusion_that_meets_nobody_is_a_warning_with_the_name_that_was_meant():
    rows = [row("BraTS19_002_1"), row("BraTS19_001_1", reason="excluded: shifted (mine.csv)")]
    excluded = {
        "BraTS19_001_1": "shifted (mine.csv)",
        "BraTS19_02_1": "twice (mine.csv)",
        "x": "y (mine.csv)",
    }
    assert count_summary(rows, excluded=excluded).splitlines()[1:] == [
        "  1 × excluded, such as BraTS19_001_1 t1",
        "  warning: BraTS19_02_1 is to be excluded, twice (mine.csv), but no subject has that name "
        "(did you mean 'BraTS19_002_1'?)",
        "  warning: x is to be excluded, y (mine.csv), but no subject has that name",
    ]


def test_cohorts_keep_the_order_of_the_study_and_their_own_exclusions():
    rows = [row("A", cohort="healthy"), row("A", cohort="brats")]
    lines = cohorts_summary(rows, excluded={"brats": {"B": "gone (mine.csv)"}}).splitlines()
    assert [line.split(":")[0] for line in lines] == ["healthy", "brats", "  warning"]
    assert lines[0].startswith("healthy: 1 scan of 1 subject found")
