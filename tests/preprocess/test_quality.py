import csv

import numpy as np
import pytest
from scipy.stats import median_abs_deviation

from spatial_erasing.ingest.records import EXCLUSION_HEADER
from spatial_erasing.preprocess import quality
from spatial_erasing.preprocess.quality import (
    COLUMNS,
    PERCENTILES,
    FlagRule,
    HealthyBand,
    brain_spread,
    count_quality,
    quality_summary,
)

RULE = FlagRule(outside_ml=(900, 2200), beyond_deviations=4, beyond_band=0.1)
ANY_VOLUME = FlagRule(outside_ml=(0, np.inf), beyond_deviations=4, beyond_band=0.1)
MIDDLE = np.linspace(0.1, 0.9, len(PERCENTILES))
BAND = HealthyBand("t1", 9, *(tuple(MIDDLE + shift) for shift in (-0.05, 0, 0.05)))


def quality_rows(manifest, *, rule, curves=None):
    """The rows of subjects whose contrast is that of the training brains, unless a test says otherwise."""
    manifest = list(manifest)
    usual = {row["subject"]: {"t1": MIDDLE} for row in manifest if row["status"] == "done"}
    return quality.quality_rows(manifest, rule=rule, curves=usual | (curves or {}), band=BAND)


def manifest_row(subject, brain_ml, **changes):
    return {
        "cohort": "brats",
        "subject": subject,
        "scanner": "S1",
        "status": "done",
        "reason": "",
        "warning": "",
        "folder": "somewhere",
        "brain_ml": brain_ml,
        "lesion_ml": 0.0,
        "lesion_outside_brain_percent": 0.0,
        "box_x_voxels": 145,
        "box_y_voxels": 174,
        "box_z_voxels": 153,
        "lower_intensity": 12.0,
        "median_intensity": 80.0,
        "upper_intensity": 140.0,
        "lesion_downsampled_ml": 0.0,
    } | changes


def failed_row(subject, reason="too dark"):
    kept = {"cohort": "brats", "subject": subject, "scanner": "S1", "status": "failed", "reason": reason}
    return dict.fromkeys(manifest_row("", 0), "") | kept


def cohort_of(volumes_ml):
    return [manifest_row(f"sub-{place:02d}", float(ml)) for place, ml in enumerate(volumes_ml)]


def by_name(rows):
    return {row["subject"]: row for row in rows}


@pytest.fixture
def volumes_ml():
    volumes_ml = np.random.default_rng(3).normal(1450, 90, size=40)
    volumes_ml[7], volumes_ml[19] = 901, 2150
    return volumes_ml


def test_deviations_are_those_of_scipy(volumes_ml):
    rows = by_name(quality_rows(cohort_of(volumes_ml), rule=RULE))
    scale = median_abs_deviation(volumes_ml, scale="normal")
    expected = (volumes_ml - np.median(volumes_ml)) / scale
    found = [rows[f"sub-{place:02d}"]["brain_deviations"] for place in range(len(volumes_ml))]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    flagged = {name for name, row in rows.items() if row["flag"]}
    assert flagged == {f"sub-{place:02d}" for place in np.flatnonzero(np.abs(expected) > 4)}
    assert {"sub-07", "sub-19"} <= flagged


def test_deviations_do_not_depend_on_the_unit_of_volume(volumes_ml):
    once, tenfold = (quality_rows(cohort_of(f * volumes_ml), rule=ANY_VOLUME) for f in (1, 10))
    assert [row["subject"] for row in once] == [row["subject"] for row in tenfold]
    np.testing.assert_allclose(
        [row["brain_deviations"] for row in once], [row["brain_deviations"] for row in tenfold]
    )


def test_the_order_of_the_manifest_does_not_matter(volumes_ml):
    manifest = [*cohort_of(volumes_ml), failed_row("sub-99")]
    shuffled = [manifest[place] for place in np.random.default_rng(1).permutation(len(manifest))]
    assert quality_rows(shuffled, rule=RULE) == quality_rows(manifest, rule=RULE)


def test_texts_of_a_file_and_numbers_give_the_same_judgement(volumes_ml):
    numbers = cohort_of(volumes_ml)
    texts = [{name: str(value) for name, value in row.items()} for row in numbers]
    judged = [quality_rows(rows, rule=RULE) for rows in (numbers, texts)]
    for name in ("subject", "brain_deviations", "box_voxels", "flag", "exclude_line"):
        assert [row[name] for row in judged[0]] == [row[name] for row in judged[1]]


@pytest.mark.parametrize("ml, is_flagged", [(899.9, True), (900, False), (2200, False), (2200.1, True)])
def test_the_limits_themselves_are_not_flagged(ml, is_flagged):
    (row,) = quality_rows([manifest_row("a", ml)], rule=RULE)
    assert bool(row["flag"]) == bool(row["exclude_line"]) == is_flagged


def test_a_flag_says_the_value_and_every_rule_that_it_breaks(volumes_ml):
    volumes_ml[7] = 512.3
    row = by_name(quality_rows(cohort_of(volumes_ml), rule=RULE))["sub-07"]
    deviations, median_ml = abs(row["brain_deviations"]), np.median(volumes_ml)
    assert row["flag"] == (
        f"Brain of 512.3 ml: below 900 ml; {deviations:.1f} robust SD below the median {median_ml:.0f} ml, "
        "limit 4."
    )


def test_of_four_brains_only_the_limits_in_ml_are_judged():
    volumes_ml = [1400, 1401, 1402, 2100]
    rows = quality_rows(cohort_of(volumes_ml), rule=RULE)
    assert {row["brain_deviations"] for row in rows} == {""} and not any(row["flag"] for row in rows)
    rows = quality_rows(cohort_of([*volumes_ml, 1403]), rule=RULE)
    assert [row["subject"] for row in rows if row["flag"]] == ["sub-03"]


def test_equal_brains_have_no_spread_to_be_far_from():
    rows = quality_rows(cohort_of([1400] * 5 + [1401, 512]), rule=RULE)
    assert {row["brain_deviations"] for row in rows} == {""}
    assert [row["subject"] for row in rows if row["flag"]] == ["sub-06"]


def test_failed_subjects_neither_count_for_the_median_nor_have_a_deviation(volumes_ml):
    failed = [failed_row("x") | {"brain_ml": 5000.0} for _ in range(100)]
    rows = quality_rows(cohort_of(volumes_ml) + failed, rule=RULE)
    spread = brain_spread(volumes_ml)
    kept = [row for row in rows if row["status"] == "done"]
    assert kept[0]["brain_deviations"] == spread.deviations(kept[0]["brain_ml"])
    assert {row["brain_deviations"] for row in rows if row["status"] == "failed"} == {""}


def test_a_cohort_of_which_nobody_is_left_is_still_a_table():
    (row,) = quality_rows([failed_row("a")], rule=RULE)
    assert row["reason"] == "too dark" and row["box_voxels"] == "" and row["flag"] == ""
    assert quality_rows([], rule=RULE) == []


@pytest.mark.parametrize(("shift", "is_flagged"), [(0.04, False), (0.14, False), (0.16, True), (-0.16, True)])
def test_a_contrast_outside_the_healthy_band_is_flagged(shift, is_flagged):
    curve = MIDDLE + shift * (np.array(PERCENTILES) == 40)
    curves = {"a": {"t1": MIDDLE, "t1ce": curve}}
    row, other = sorted(
        quality_rows([manifest_row("a", 1400), manifest_row("b", 1400)], rule=RULE, curves=curves),
        key=lambda row: row["subject"],
    )
    assert other["flag"] == "" and other["beyond_band"] == 0
    assert bool(row["flag"]) == is_flagged
    assert row["beyond_band"] == pytest.approx(np.sign(shift) * max(abs(shift) - 0.05, 0))
    if is_flagged:
        side = "above" if shift > 0 else "below"
        assert row["flag"] == f"Contrast of t1ce: percentile 40 lies 0.11 {side} the healthy band, limit 0.1."
        assert row["exclude_line"] == "brats,a,contrast outside the healthy band"


def test_volume_and_contrast_are_flagged_together():
    (row,) = quality_rows([manifest_row("a", 500)], rule=RULE, curves={"a": {"t1": np.full(21, 0.5)}})
    assert row["flag"].startswith("Brain of 500.0 ml") and "Contrast of t1: percentile" in row["flag"]
    assert row["exclude_line"] == 'brats,a,"brain of 500 ml, contrast outside the healthy band"'


def test_what_needs_a_look_comes_first():
    volumes_ml = {"f": 1400, "b": 1410, "e": 1420, "d": 600, "c": 1430, "a": 1440}
    manifest = [manifest_row(name, ml) for name, ml in volumes_ml.items()]
    manifest[2]["warning"] = "thick slices"
    rows = quality_rows([*manifest, failed_row("z"), failed_row("y")], rule=RULE)
    assert "".join(row["subject"] for row in rows) == "yzdeabcf"
    assert set(rows[0]) == set(COLUMNS)


@pytest.mark.parametrize("name", ["BraTS19_X", "a,b", 'say "x"', " padded "])
def test_the_line_to_exclude_someone_reads_back_as_that_subject(name):
    rows = quality_rows([manifest_row(name, 512.4), failed_row(name)], rule=RULE)
    table = "\n".join([EXCLUSION_HEADER, *(row["exclude_line"] for row in rows)])
    reasons = ["preprocessing failed", "brain of 512 ml"]
    read = list(csv.DictReader(table.splitlines()))
    assert read == [{"cohort": "brats", "subject": name, "reason": reason} for reason in reasons]


def test_nobody_else_gets_a_line_that_excludes():
    (row,) = quality_rows([manifest_row("a", 1400, warning="thick slices")], rule=RULE)
    assert row["exclude_line"] == "" and row["flag"] == "" and row["box_voxels"] == "145×174×153"


def test_counts_add_up_and_vanished_lesions_are_told_from_missing_ones():
    manifest = [
        manifest_row("healthy", 1400),
        manifest_row("kept", 1400, lesion_ml=10.0, lesion_downsampled_ml=11.5, warning="w"),
        manifest_row("vanished", 500, lesion_ml=0.5, warning="w"),
        failed_row("failed"),
    ]
    rows = quality_rows(manifest, rule=RULE)
    counts = count_quality(rows)
    assert (counts.subjects, counts.done, counts.failed, counts.flagged, counts.warned) == (4, 3, 1, 1, 2)
    assert (counts.lesions, counts.vanished) == (2, 1)
    assert (counts.lesion_ml, counts.lesion_downsampled_ml) == (10.5, 11.5)
    assert quality_summary(rows, cohort="brats") == (
        "brats: 3 done, 1 failed, 1 flagged, 2 with a warning, 1 of 2 lesions vanished"
    )
