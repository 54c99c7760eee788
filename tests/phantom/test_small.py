from dataclasses import replace

import numpy as np
import pytest

from spatial_erasing_phantoms.mni152 import load_template
from spatial_erasing_phantoms.small import SmallSettings, make_small_cohort, make_small_subject
from spatial_erasing_phantoms.template import read_template, save_template

SETTINGS = SmallSettings(
    seed=3, scanners=2, minimum_lesion_ml=10, padded_grid_mm=(158, 191, 163), grid_voxels=(32, 32, 32)
)
SEQUENCES = {"healthy": ["t1"], "brats": ["t1", "t1ce"], "atlas": ["t1"]}


@pytest.fixture(scope="module")
def small_template():
    return load_template(3.0)


@pytest.fixture(scope="module")
def subjects(small_template):
    """Arrays and manifest rows of three subjects of each kind."""
    made = {}
    for kind in SEQUENCES:
        made[kind] = make_small_cohort(
            kind, subjects=3, settings=SETTINGS, template=small_template, workers=1
        )
    return made


@pytest.mark.parametrize("kind", SEQUENCES)
def test_arrays_are_what_preprocessing_leaves(subjects, kind):
    arrays, rows = subjects[kind]
    assert arrays.keys() == {"subject", "affine", "brain", "lesion", "lesion_slices", *SEQUENCES[kind]}
    assert [row["subject"] for row in rows] == arrays["subject"].tolist()
    brain = arrays["brain"]
    assert (arrays["lesion"] <= brain).all() and (arrays["lesion"].any() != (kind == "healthy"))
    assert np.array_equal(arrays["lesion_slices"], arrays["lesion"].any(axis=(1, 2)))
    for sequence in SEQUENCES[kind]:
        scans = arrays[sequence]
        assert scans.dtype == np.float16 and scans.shape == (3, 32, 32, 32)
        assert not scans[~brain].any()
        for scan, inside in zip(scans, brain, strict=True):
            # percentiles 1 and 99 became 0 and 1, so that one voxel in a hundred lies at each end
            assert (scan[inside] == 0).mean() == pytest.approx(0.01, abs=0.01)
            assert (scan[inside] == 1).mean() == pytest.approx(0.01, abs=0.01)


def test_volumes_are_those_of_brains_and_the_brain_lies_in_the_middle(subjects):
    voxel_ml = 158 * 191 * 163 / 32**3 / 1000
    for arrays, rows in subjects.values():
        for brain, lesion, row in zip(arrays["brain"], arrays["lesion"], rows, strict=True):
            assert row["brain_ml"] == pytest.approx(brain.sum() * voxel_ml, abs=0.01)
            assert row["lesion_ml"] == pytest.approx(lesion.sum() * voxel_ml, abs=0.01)
            assert 900 < row["brain_ml"] < 1900
            for axis in range(3):
                places = np.flatnonzero(brain.any(axis=tuple({0, 1, 2} - {axis})))
                assert abs(places[0] + places[-1] - 31) <= 3


def test_a_subject_is_the_same_whatever_was_made_before_and_seeds_differ(subjects, small_template):
    arrays, rows = subjects["brats"]
    _, again, row = make_small_subject("brats", 2, settings=SETTINGS, template=small_template)
    assert row == rows[2]
    for name, array in again.items():
        assert np.array_equal(array, arrays[name][2])
    other = make_small_subject("brats", 2, settings=replace(SETTINGS, seed=4), template=small_template)[1]
    assert not np.array_equal(other["t1"], again["t1"])


def test_a_kept_template_makes_the_same_subject(small_template, tmp_path):
    save_template(small_template, tmp_path / "template.npz")
    kept = read_template(tmp_path / "template.npz")
    first, second = (
        make_small_subject("atlas", 0, settings=SETTINGS, template=template)[1]
        for template in (small_template, kept)
    )
    assert all(np.array_equal(first[name], second[name]) for name in first)
