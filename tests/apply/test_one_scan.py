"""One new scan: the study's own map, on the voxels of the scan, whatever its orientation."""

import locale
import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from spatial_erasing.apply.bundle import open_bundle
from spatial_erasing.apply.export import write_bundle
from spatial_erasing.apply.inputs import Input, as_image
from spatial_erasing.apply.one_scan import Asked, Model, examine
from spatial_erasing.apply.outputs import summarise
from spatial_erasing.apply.run_folder import RunFolder
from spatial_erasing.apply.warnings import warnings_of
from spatial_erasing.cli import main
from spatial_erasing.cohorts import Split, read_split
from spatial_erasing.images.volumes import Volume, read_volume
from spatial_erasing.preprocess.geometry import read_chains, return_to_scan
from spatial_erasing.preprocess.resample import resample_to_grid
from spatial_erasing.preprocess.standardise.two_quantiles import to_two_quantiles
from spatial_erasing.score.maps import Scoring, load_stored, score_maps
from spatial_erasing.score.postprocess import post_process
from spatial_erasing.score.reconstruct import raw_maps
from tests.apply.small_study import VARIANTS, head, small_config, with_maps, write_head
from tests.preprocess.analytic_head import LESION_CENTRE_MM, LESION_ML

STRIPPED = Asked(skull_strip="none")


@pytest.fixture(scope="module")
def model(bundle):
    return Model(open_bundle(bundle))


@pytest.fixture(scope="module")
def straight(model):
    """What is found in the head as the study's scanner stored it."""
    return examine(replace(head(12, with_lesion=True), path="RAS.nii.gz"), model, STRIPPED)


def test_the_map_of_a_test_subject_is_the_map_of_the_study(study, tmp_path):
    """From the raw file, with the bundle of a single network, to the last bit."""
    write_bundle(RunFolder.opened(study, "3d-none", seeds=(2,)), tmp_path / "one.zip")
    results, config = study / "results", small_config()
    folder = results / "preprocess/strokes"
    scans = read_split([folder / "volumes.npz"], results / "split/strokes.csv", split="test", sequence="t1")
    post_processing = {"erosion_iterations": 1, "median_size_voxels": 3}
    scoring = Scoring(config["scores"]["residual"], post_processing)
    stored = load_stored(results / "score/3d-none/fraction-100/seed-2/strokes-t1/test.npz", scans, scoring)
    chains, model = read_chains(folder / "geometry.json"), Model(open_bundle(tmp_path / "one.zip"))

    for (_, subject), score in zip(scans.subjects, score_maps(scans, stored, scoring), strict=True):
        found = examine(read_volume(results / f"raw/{subject}/t1.nii.gz"), model, STRIPPED)
        np.testing.assert_array_equal(found.on_grid["score"], score)
        np.testing.assert_array_equal(found.score, return_to_scan(score, chains[subject]))
        assert score.max() > 0


@pytest.mark.parametrize("score", ["restored-dark", "image", "distance", "parts", "again"])
def test_a_score_that_reads_the_network_gives_the_map_of_the_study(score, study, tmp_path):
    """Equal but for rounding, as the study fits several scans at once; with random numbers only alike."""
    method, seed = f"3d-none@{score}", 2
    folder = with_maps(study, tmp_path / "study", method, seed)
    write_bundle(RunFolder.opened(folder, method, seeds=(seed,)), tmp_path / "one.zip")
    results, model = folder / "results", Model(open_bundle(tmp_path / "one.zip"))
    files = [results / "preprocess/strokes/volumes.npz"]
    scans = read_split(files, results / "split/strokes.csv", split="test", sequence="t1")
    scoring = model.settings.scoring(score)
    stored = load_stored(results / f"score/{method}/fraction-100/seed-2/strokes-t1/test.npz", scans, scoring)

    assert list(model.settings.scores) == [score]
    for (_, subject), expected in zip(scans.subjects, score_maps(scans, stored, scoring), strict=True):
        found = examine(read_volume(results / f"raw/{subject}/t1.nii.gz"), model, STRIPPED)
        given = found.on_grid["score"].astype(float)
        if score in ("restored-dark", "image"):
            np.testing.assert_allclose(given, expected, atol=2e-3)
        brain = found.on_grid["brain"]
        assert np.corrcoef(given[brain], expected[brain].astype(float))[0, 1] > 0.9
        assert found.score_name == score and expected.max() > 0.05


def test_maps_of_an_ensemble_are_averaged(study, tmp_path):
    """Of two networks the score is the mean of their maps, before the common post-processing."""
    method, maps = "3d-none@restored-dark", []
    folder = with_maps(study, tmp_path / "1", method, 1)
    both = with_maps(study, tmp_path / "2", method, 2)
    stored = f"results/score/{method}/fraction-100/seed-1"
    shutil.copytree(folder / stored, both / stored)
    write_bundle(RunFolder.opened(both, method), tmp_path / "two.zip")
    model = Model(open_bundle(tmp_path / "two.zip"))
    found = examine(head(12, with_lesion=True), model, STRIPPED)
    for network in model.networks:
        scan = Split(
            [("", "")], *(found.on_grid[name][None] for name in ("scan", "brain", "brain")), np.zeros((1, 16))
        )
        maps.append(raw_maps(network, scan, scan, score=model.settings.scores["restored-dark"]))
    raw = np.mean([found.astype(np.float32) for found in maps], axis=0).astype(np.float16)[0]
    expected = post_process(raw, found.on_grid["brain"], erosion_iterations=1, median_size_voxels=3)
    np.testing.assert_array_equal(found.on_grid["score"], expected)
    assert np.abs(maps[0].astype(float) - maps[1]).max() > 0.01


def test_a_score_that_compares_with_healthy_scans_stays_in_its_study(study, tmp_path, capsys):
    folder = with_maps(study, tmp_path / "study", "3d-none@relative", 1)
    command = ["bundle", str(folder), "--model", "3d-none@relative", "--seeds", "1"]
    assert main([*command, "--output", str(tmp_path / "b.zip")]) == 2
    assert "3d-none@relative compares with healthy scans, and a bundle holds none" in capsys.readouterr().err
    assert not (tmp_path / "b.zip").exists()


def test_the_lesion_is_found_on_the_left(straight):
    """Here the mask is not what is judged: the hottest voxels lie in the lesion, on the left."""
    voxels = np.argwhere(straight.score >= np.quantile(straight.score, 0.999))
    centre_mm = nib.affines.apply_affine(straight.scan.affine, voxels.mean(axis=0))
    assert np.linalg.norm(centre_mm - LESION_CENTRE_MM) < 5 and centre_mm[0] < 0
    assert 0.2 * LESION_ML < straight.mask.sum() * 0.008 < 8 * LESION_ML


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_way_to_store_a_scan_gives_the_same_map_in_the_world(variant, model, straight, tmp_path):
    path = write_head(tmp_path / "t1.nii.gz", 12, *VARIANTS[variant], with_lesion=True)
    # with the same voxel centres the maps are the same; else mask, box and grid move by half a voxel
    at_least = 0.999 if variant in ("LAS", "LPS", "PIR") else 0.85
    assert_same_in_world(examine(read_volume(path), model, STRIPPED), straight, at_least=at_least)


def test_a_scan_in_dicom_gives_the_same_map_in_the_world(model, straight, tmp_path):
    folder = write_dicom(tmp_path / "dicom", head(12, *VARIANTS["LPS"], with_lesion=True))
    with as_image(Input(folder, "dicom")) as image:
        found = examine(read_volume(image), model, STRIPPED)
    assert_same_in_world(found, straight, at_least=0.99)  # whole numbers


def assert_same_in_world(found, straight, *, at_least):
    """The map on the other scan's voxels, compared inside its brain; sides may not be swapped."""
    there = resample_to_grid(
        Volume(found.score, found.scan.affine), straight.scan.grid, interpolation="linear"
    )
    inside = straight.on_scan("brain") > 0.5
    assert np.corrcoef(there[inside], straight.score[inside])[0, 1] > at_least
    mirrored = there[::-1]
    assert np.corrcoef(mirrored[inside], straight.score[inside])[0, 1] < 0.7
    hottest = np.unravel_index(found.score.argmax(), found.score.shape)
    assert nib.affines.apply_affine(found.scan.affine, hottest)[0] < 0


def write_dicom(folder, volume):
    """A series of DICOM, one file a slice, as SimpleITK writes them."""
    of_process = locale.setlocale(locale.LC_ALL)  # writing DICOM sets it to C, that is ASCII
    folder.mkdir()
    nib.save(nib.Nifti1Image(volume.intensities, volume.affine), folder / "t1.nii")
    image = sitk.Cast(sitk.ReadImage(str(folder / "t1.nii")), sitk.sitkInt16)
    (folder / "t1.nii").unlink()
    direction = np.reshape(image.GetDirection(), (3, 3))
    common = {"0008|0060": "MR", "0020|000e": "1.2.826.0.1.3680043.2.1125.1", "0020|000d": "1.2.826.0.1"}
    common["0020|0037"] = "\\".join(map(str, direction[:, [0, 1]].T.ravel()))
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number in range(image.GetDepth()):
        part = image[:, :, number]
        place = image.TransformIndexToPhysicalPoint((0, 0, number))
        tags = {
            "0020|0032": "\\".join(map(str, place)),
            "0020|0013": str(number),
            "0008|0018": f"1.2.3.{number}",
        }
        for key, value in {**common, **tags}.items():
            part.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{number:03d}.dcm"))
        writer.Execute(part)
    locale.setlocale(locale.LC_ALL, of_process)
    return folder


def test_an_ensemble_is_the_mean_of_its_networks_and_knows_their_spread(study, model, straight, tmp_path):
    found = []
    for seed in (1, 2):
        write_bundle(RunFolder.opened(study, "3d-none", seeds=(seed,)), tmp_path / "one.zip")
        single = examine(straight.scan, Model(open_bundle(tmp_path / "one.zip")), STRIPPED)
        assert not single.on_grid["spread"].any()
        found.append(single.on_grid["reconstruction"].astype(np.float64))
    mean, apart = sum(found) / 2, np.abs(found[0] - found[1]) / 2
    np.testing.assert_allclose(straight.on_grid["reconstruction"], mean, atol=1e-3)
    np.testing.assert_allclose(straight.on_grid["spread"], apart, atol=1e-6)
    assert apart.max() > 0.001


def test_a_percentile_is_the_share_of_lower_healthy_voxels(model, straight):
    healthy = model.healthy_scores("residual")
    everyone = np.repeat(healthy.values, healthy.voxels)
    for value in [0, *np.quantile(straight.score[straight.score > 0], [0.1, 0.5, 0.9, 1])]:
        share = (everyone < np.float32(value)).mean()
        assert healthy.percentile(np.float32([value]))[0] == pytest.approx(share, abs=1e-6)
    order = np.argsort(straight.score, axis=None)
    assert (np.diff(straight.percentile.ravel()[order]) >= 0).all()
    assert straight.percentile.max() == 1


def test_a_threshold_and_a_score_of_the_users_own(model, straight):
    other = examine(straight.scan, model, Asked("none", score="dark", threshold=0.3))
    assert (other.mask == (other.score >= 0.3)).all() and other.mask.any()
    assert not np.array_equal(other.score, straight.score)
    totals = [
        summarise(found, model, candidates=[], known={})["healthy_total_ml"] for found in (straight, other)
    ]
    healthy = model.healthy_scores(straight.score_name)
    assert totals == [sorted(healthy.marked_ml), None], "counted at the model's own threshold alone"
    with pytest.raises(ValueError, match=r"no score 'bright'; expected one of dark, residual, structural"):
        examine(straight.scan, model, Asked("none", score="bright"))


def test_another_sequence_is_brought_to_its_own_contrast_and_the_page_says_whose_reference_it_has(
    bundle, model, straight
):
    other = Model(open_bundle(bundle), sequence="t1ce")
    found = examine(straight.scan, other, STRIPPED)
    target = open_bundle(bundle).settings["preprocess"]["standard"]["two_quantiles"]["t1ce"]
    (curve,) = [
        to_two_quantiles(values[found.prepared.brain], target) for values in found.prepared.sequences.values()
    ]
    whole = curve(found.prepared.sequences["t1ce"])
    np.testing.assert_allclose(np.percentile(whole[found.prepared.brain], [50, 75]), target, atol=0.01)
    inside, as_t1 = found.on_grid["brain"], straight.on_grid["scan"]
    scan = found.on_grid["scan"]
    assert np.abs(np.percentile(scan[inside], [50, 75]) - target).max() < 0.06
    assert not np.array_equal(scan, as_t1)
    (warning,) = [w for w in warnings_of(found, other, was_stripped=True) if "of the training" in w["name"]]
    assert "given as t1ce" in warning["text"] and "are t1." in warning["text"] and not warning["stop"]
    names = {warning["name"] for warning in warnings_of(straight, model, was_stripped=True)}
    assert "sequence of the training" not in names
    with pytest.raises(ValueError, match=r"no sequence 'dwi'; expected one of t1, .*Correct --sequence"):
        Model(open_bundle(bundle), sequence="dwi")


def test_a_brain_that_is_larger_than_the_grid_of_the_model_is_refused(model):
    scan = head(12)
    grown = replace(scan, affine=np.diag([1.3, 1.3, 1.3, 1]) @ scan.affine, path="large.nii.gz")
    with pytest.raises(ValueError, match=r"the brain measures \d+ x \d+ x \d+ voxels of 2 mm, and the model"):
        examine(grown, model, STRIPPED)
