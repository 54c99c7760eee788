from dataclasses import replace

import pytest
from paper_study import CONFIG as STUDY
from paper_study import METHODS

from spatial_erasing.evaluate.claims import CLAIMS
from spatial_erasing.evaluate.contrasts import Naming, parts_of
from spatial_erasing.models import PaperModel, list_runs, methods_of_paper

NAMING = Naming(methods_of_paper(METHODS))
COHORTS = {"brats": ["t1", "t1ce"], "atlas": ["t1"]}
PARTS = {
    "3d-beats-2d": 6,
    "3d-beats-2d-everywhere": 7 * 6,
    "erasing-helps": 12 * 6,
    "noise-beats-zeros": 6 * 6,
    "3d-single-cube-best": 4 * 6,
    "3d-half-volume-second": 2 * 6,
    "2d-half-slice-best": 4 * 6,
    "2d-multi-patch-second": 2 * 6,
    "extreme-sizes-are-hardest": 4 * 2 * 2,
    "erasing-helps-all-sizes": 2 * 3 * 2,
    "erasing-helps-large-lesions-most": 2 * 2,
    "3d-beats-2d-at-all-sizes": 3 * 2,
    "3d-helps-small-lesions-most": 2,
    "3d-with-a-fifth-beats-2d": 2,
    "2d-erased-with-a-fifth-beats-2d": 1,
    "erased-with-60-percent-beats-plain": 2,
    "less-data-is-worse": 4,
    "3d-loses-more-with-less-data": 2,
    "erasing-needs-data": 2,
    "t1ce-helps": 2 * 3,
    "slices-3d-and-erasing-help": 4,
}


def test_every_claim_has_its_comparisons():
    assert {claim.name: len(parts_of(claim, COHORTS, NAMING)) for claim in CLAIMS} == PARTS


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_a_difference_weighs_both_sides_alike(claim):
    """Adding the same to every number changes no difference."""
    for part in parts_of(claim, COHORTS, NAMING):
        assert sum(weight for weight, _ in part.terms) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_the_study_of_the_config_runs_what_the_claims_compare(claim):
    runs = {(run.method, run.fraction_percent) for run in list_runs(STUDY["study"])}
    cohorts = {
        name: STUDY["ingest"]["cohorts"][name]["sequences"] for name in STUDY["study"]["lesion_cohorts"]
    }
    for part in parts_of(claim, cohorts, NAMING):
        for _, quantity in part.terms:
            assert (quantity.model, quantity.fraction_percent) in runs
            if quantity.sequence == "t1ce":
                assert quantity.model in STUDY["study"]["table_2_models"]


def test_the_titles_of_a_claim_tell_its_comparisons_apart():
    for claim in CLAIMS:
        keys = [(part.title, part.cohort, part.metric) for part in parts_of(claim, COHORTS, NAMING)]
        assert len(set(keys)) == len(keys)


def test_noise_is_compared_with_zeros_of_the_same_strategy():
    (claim,) = (claim for claim in CLAIMS if claim.name == "noise-beats-zeros")
    for part in parts_of(claim, COHORTS, NAMING):
        (plus, better), (minus, worse) = part.terms
        assert (plus, minus) == (1, -1) and better.model == worse.model.replace("-zero", "-noise")


def test_the_gain_at_small_lesions_stands_against_both_other_sizes():
    (claim,) = (claim for claim in CLAIMS if claim.name == "3d-helps-small-lesions-most")
    part = parts_of(claim, {"atlas": ["t1"]}, NAMING)[0]
    weights = {(q.model, q.metric.rpartition("_")[2]): weight for weight, q in part.terms}
    assert weights == {
        ("3d-cube-noise", "small"): 1,
        ("2d-patch-noise", "small"): -1,
        ("3d-cube-noise", "middle"): -0.5,
        ("2d-patch-noise", "middle"): 0.5,
        ("3d-cube-noise", "large"): -0.5,
        ("2d-patch-noise", "large"): 0.5,
    }


def test_without_t1ce_there_is_nothing_to_compare():
    (claim,) = (claim for claim in CLAIMS if claim.name == "t1ce-helps")
    assert parts_of(claim, {"atlas": ["t1"]}, NAMING) == []


def test_claims_are_about_what_entries_say_and_not_about_their_names():
    model = PaperModel(3, "cube", "noise")
    renamed = {model: replace(METHODS["3d-cube-noise"], name="mine", title="Mine")}
    (claim,) = (claim for claim in CLAIMS if claim.name == "3d-helps-small-lesions-most")
    part = parts_of(claim, {"atlas": ["t1"]}, Naming(renamed))[0]
    assert part.terms[0][1].model == "mine"
    assert part.title == "(Mine − 2d-cube-noise), small − other lesions"  # a model without an entry


def test_claims_about_t1_are_asked_of_the_sequence_that_a_study_trains_on():
    on_flair = Naming(methods_of_paper(METHODS), "flair")
    cohorts = {"brats": ["flair", "t1", "t1ce"], "atlas": ["flair"]}
    for claim in CLAIMS:
        parts = parts_of(claim, cohorts, on_flair)
        sequences = {quantity.sequence for part in parts for _, quantity in part.terms}
        assert sequences == (set() if claim.name == "t1ce-helps" else {"flair"})
        assert len(parts) == (0 if claim.name == "t1ce-helps" else PARTS[claim.name])
