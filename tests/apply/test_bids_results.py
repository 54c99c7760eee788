"""Results of a BIDS data set: names, sidecars, and the BIDS-App form of the command."""

import fnmatch
import json
import re
import shutil
import subprocess
from pathlib import Path

import bids_validator_deno
import nibabel as nib
import pytest
from deno import find_deno_bin

from spatial_erasing.apply.inputs import find_inputs
from spatial_erasing.cli import main
from tests.apply.small_study import write_head

# BIDS 1.11.1: entities of a derived image in their order, with the suffixes that are used here.
VALID = re.compile(
    r"sub-\w+?(_ses-\w+?)?(_acq-\w+?)?(_run-\d+)?(_space-orig)?(_label-L)?(_desc-[a-z]+)_(mask|probseg|T1w)\.(nii\.gz|json)"
)


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    root = tmp_path_factory.mktemp("bids")
    (root / "dataset_description.json").write_text(json.dumps({"Name": "small", "BIDSVersion": "1.10.0"}))
    write_head(root / "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz", 12, with_lesion=True)
    write_head(root / "sub-01/ses-b/anat/sub-01_ses-b_run-1_T1w.nii.gz", 11, with_lesion=True)
    write_head(root / "sub-02/anat/sub-02_T1w.nii.gz", 10, with_lesion=True)
    write_head(root / "derivatives/other/sub-02/anat/sub-02_T1w.nii.gz", 10)
    return root


@pytest.fixture(scope="module")
def results(data_set, bundle, tmp_path_factory):
    output = tmp_path_factory.mktemp("derived")
    options = ["--model", str(bundle), "--stripped", "--workers", "1", "--save", "brain", "reconstruction"]
    assert main([str(data_set), str(output), "participant", *options]) == 0
    return output


def ignored(path, results):
    patterns = (results / ".bidsignore").read_text().split()
    place = path.relative_to(results).as_posix()
    return any(fnmatch.fnmatch(path.name, pattern) or place.startswith(pattern) for pattern in patterns)


def test_every_file_has_a_valid_name_or_is_ignored(results):
    known = {"dataset_description.json", "README", "descriptions.tsv", ".bidsignore"}
    files = {path for path in results.rglob("*") if path.is_file() and path.name not in known}
    judged = {path for path in files if not ignored(path, results)}
    assert len(judged) == 3 * 8
    for path in judged:
        assert VALID.fullmatch(path.name), path.name
        assert path.parent.name == "anat" and path.name.startswith(
            f"sub-{path.parts[len(results.parts)][4:]}"
        )


def bids_errors(folder):
    """What the official validator refuses, as pairs of a code and a path; it may not reach a network."""
    program = Path(bids_validator_deno.__file__).with_name("bids-validator.js")
    command = [find_deno_bin(), "run", "--allow-read", "--allow-env", program, folder, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    issues = json.loads(done.stdout)["issues"]["issues"]
    errors = [(issue["code"], issue["location"]) for issue in issues if issue["severity"] == "error"]
    assert (done.returncode == 0) == (not errors), done.stderr
    return errors


def test_the_official_validator_finds_no_error_and_does_find_a_wrong_name(results, tmp_path):
    assert bids_errors(results) == []
    wrong = tmp_path / "wrong"
    shutil.copytree(results, wrong)
    (image,) = wrong.glob("sub-02/anat/*_probseg.nii.gz")
    image.rename(image.with_name(image.name.replace("probseg", "probability")))
    found = bids_errors(wrong)
    assert any(place.endswith("_probability.nii.gz") for _, place in found), found


def test_sidecars_say_what_a_map_is_and_is_not(results):
    folder = results / "sub-01/ses-a/anat"
    stem = "sub-01_ses-a_space-orig_label-L_desc-anomaly"
    probseg = json.loads((folder / f"{stem}_probseg.json").read_text())
    assert "no probability" in probseg["Description"] and probseg["SpatialReference"] == "orig"
    assert probseg["Sources"] == ["bids:raw:sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz"]
    mask = json.loads((folder / f"{stem}_mask.json").read_text())
    assert mask["Type"] == "Lesion" and mask["Threshold"] > 0
    assert (
        json.loads((folder / "sub-01_ses-a_space-orig_desc-brain_mask.json").read_text())["Type"] == "Brain"
    )
    values = nib.load(folder / f"{stem}_probseg.nii.gz").get_fdata()
    assert values.min() >= 0 and values.max() <= 1


def test_the_description_says_who_made_it_from_what(results, data_set):
    found = json.loads((results / "dataset_description.json").read_text())
    assert found["DatasetType"] == "derivative" and found["GeneratedBy"][0]["Name"] == "spatial-erasing"
    assert found["DatasetLinks"]["raw"] == data_set.resolve().as_uri()
    head, *lines = (results / "descriptions.tsv").read_text().splitlines()
    assert head == "desc_id\tdescription"
    assert {line.split("\t")[0] for line in lines} == {"desc-anomaly", "desc-brain", "desc-pseudohealthy"}


def test_scans_with_contrast_agent_are_those_of_another_sequence(tmp_path):
    for name in ("sub-1_T1w", "sub-1_ce-gad_T1w", "sub-1_FLAIR"):
        (tmp_path / "sub-1/anat").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"sub-1/anat/{name}.nii.gz").touch()
    for sequence, name in (("t1", "sub-1_T1w"), ("t1ce", "sub-1_ce-gad_T1w"), ("flair", "sub-1_FLAIR")):
        assert [scan.name for scan in find_inputs([tmp_path], sequence=sequence)] == [name]
    with pytest.raises(ValueError, match="BIDS has no name for the sequence 'adc'"):
        find_inputs([tmp_path], sequence="adc")


def test_a_sidecar_comes_and_goes_with_its_image(data_set, bundle, tmp_path):
    app = [str(data_set), str(tmp_path), "participant", "--participant-label", "02", "--model", str(bundle)]
    app += ["--stripped", "--workers", "1"]
    assert main([*app, "--save", "brain"]) == 0
    sidecar = tmp_path / "sub-02/anat/sub-02_space-orig_desc-brain_mask.json"
    sidecar.unlink()  # as after a kill
    assert main([*app, "--save", "brain"]) == 0 and sidecar.exists()
    assert main([*app, "--threshold", "0.5"]) == 0
    assert not list(tmp_path.rglob("*desc-brain*"))


def test_participants_are_chosen_and_missing_ones_named(data_set, bundle, tmp_path, capsys):
    options = ["--model", str(bundle), "--stripped", "--workers", "1"]
    app = [str(data_set), str(tmp_path / "out"), "participant"]
    assert main([*app, "--participant-label", "02", *options]) == 0
    assert {path.name for path in (tmp_path / "out").glob("sub-*") if path.is_dir()} == {"sub-02"}
    assert main([*app, "--participant_label", "sub-07", *options]) == 2
    assert "has no participant 07. Correct --participant-label." in capsys.readouterr().err
    assert (
        main(["apply", str(data_set), "--output", str(tmp_path / "plain"), "--naming", "plain", *options])
        == 0
    )
    assert (tmp_path / "plain/sub-02_T1w/anomaly_mask.nii.gz").exists()
