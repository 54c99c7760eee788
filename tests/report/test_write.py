from spatial_erasing.report.write import count_training_subjects


def test_training_subjects_are_those_of_the_share_that_were_preprocessed():
    """Ten training subjects in two cohorts; one of them failed, and one that is there validates."""
    rows = [("a", f"s{k}", "training", str(k / 10)) for k in range(6)]
    rows += [("b", f"s{k}", "training", str(k / 10)) for k in range(6, 10)] + [("b", "v", "validation", "")]
    names = ("cohort", "subject", "split", "training_rank")
    rows = [dict(zip(names, row, strict=True)) | {"status": "done"} for row in rows]
    rows[2]["status"] = "failed"
    assert count_training_subjects(rows, percents=[100, 20, 60]) == {100: 9, 20: 2, 60: 5}
