import numpy as np
import pytest
from intensity_normalization.adapters.images import NumpyImageAdapter
from intensity_normalization.normalizers.population.nyul import NyulNormalizer

from spatial_erasing.images.volumes import write_volume
from spatial_erasing.preprocess.standardise.landmarks import (
    learn_landmarks,
    learn_scales,
    read_landmarks,
    to_landmarks,
    write_landmarks,
)

PERCENTILES = (10, 20, 30, 40, 50, 60, 70, 80, 90)
SHAPE, AFFINE = (14, 15, 16), np.diag([2.0, 2, 2, 1])


def write_brain(folder, seed, sequences=("t1",)):
    """A prepared brain whose outer percentiles are 0 and 1, as preprocessing leaves it."""
    rng = np.random.default_rng(seed)
    brain = rng.random(SHAPE) < 0.7
    folder.mkdir(parents=True)
    write_volume(folder / "brain.nii.gz", brain, AFFINE)
    scans = {}
    for name in sequences:
        values = rng.beta(2, rng.uniform(1, 4), SHAPE)
        low, high = np.percentile(values[brain], [1, 99])
        scans[name] = np.where(brain, np.clip((values - low) / (high - low), 0, 1), 0).astype(np.float32)
        write_volume(folder / f"{name}.nii.gz", scans[name], AFFINE)
    return brain, scans


def test_scale_and_maps_equal_those_of_intensity_normalization(tmp_path):
    brains = [write_brain(tmp_path / f"s{seed}", seed) for seed in range(5)]
    library = NyulNormalizer(output_min_value=0.0, output_max_value=1.0)
    images = [NumpyImageAdapter(scans["t1"]) for _, scans in brains]
    masks = [NumpyImageAdapter(brain) for brain, _ in brains]
    library.fit_population(images, masks)

    scale = learn_landmarks(tmp_path.iterdir(), sequence="t1", percentiles=PERCENTILES)

    # of theirs the first and last landmark are the outer percentiles, which are 0 and 1 here
    assert np.abs(np.array(scale.values) - library.standard_scale[1:-1]).max() < 2e-3
    assert scale.brains == 5 and scale.learned_from == "t1"
    brain, scans = brains[2]
    values = scans["t1"][brain]
    theirs = library.transform(images[2], masks[2]).get_data()[brain]
    inner = (values > 0.001) & (values < 0.999)
    assert np.abs(to_landmarks(values, scale)(values) - theirs)[inner].max() < 5e-3


def test_the_landmarks_of_a_mapped_brain_are_the_standard(tmp_path):
    for seed in range(3):
        write_brain(tmp_path / f"s{seed}", seed)
    scale = learn_landmarks(tmp_path.iterdir(), sequence="t1", percentiles=PERCENTILES)
    values = np.random.default_rng(9).beta(3, 2, 20_000)
    mapped = to_landmarks(values, scale)(values)
    assert np.abs(np.percentile(mapped, PERCENTILES) - scale.values).max() < 1e-4


def test_the_order_and_the_number_of_processes_do_not_matter(tmp_path):
    folders = [tmp_path / f"s{seed}" for seed in range(4)]
    for seed, folder in enumerate(folders):
        write_brain(folder, seed)
    once = learn_landmarks(folders, sequence="t1", percentiles=PERCENTILES)
    assert learn_landmarks(folders[::-1], sequence="t1", percentiles=PERCENTILES, cores=2) == once


def test_a_sequence_that_the_training_subjects_lack_goes_onto_the_scale_of_the_trained_one(tmp_path):
    write_brain(tmp_path / "s", 1, sequences=("t1", "flair"))
    scales = learn_scales(
        [tmp_path / "s"],
        sequences=("flair", "t1", "t1ce"),
        learned_from=("t1", "flair"),
        percentiles=PERCENTILES,
    )
    assert scales["t1ce"] == scales["t1"] != scales["flair"]
    write_landmarks(tmp_path / "scales.json", scales)
    assert read_landmarks(tmp_path / "scales.json") == scales


def test_a_brain_that_cannot_be_read_is_named(tmp_path):
    write_brain(tmp_path / "s1", 1)
    (tmp_path / "s1/t1.nii.gz").unlink()
    with pytest.raises(Exception, match=r"s1.*t1\.nii\.gz does not exist"):
        learn_landmarks([tmp_path / "s1"], sequence="t1", percentiles=PERCENTILES)


def test_without_a_training_brain_there_is_no_scale():
    with pytest.raises(ValueError, match=r"no training brain.*results/split/healthy\.csv"):
        learn_landmarks([], sequence="t1", percentiles=PERCENTILES)


@pytest.mark.parametrize("content", ["", '{"t1": {"perc', "[]", '{"t1": {"brains": 1}}'])
def test_damaged_landmarks_are_named_with_the_remedy(tmp_path, content):
    (tmp_path / "landmarks.json").write_text(content)
    with pytest.raises(OSError, match=r"landmarks\.json is not the whole file .*Make it again"):
        read_landmarks(tmp_path / "landmarks.json")
