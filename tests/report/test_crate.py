import json
import subprocess
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from rocrate.rocrate import ROCrate
from vae_networks import vae, vae_settings

from spatial_erasing.jobs.provenance import ROOT, code_fingerprint
from spatial_erasing.report.crate import checksum_lines, checksums_of, describe_run, finished_jobs
from spatial_erasing.train.checkpoint import device_of_weights, save_weights

COLUMNS = "output_file\tdate\trule\tlog-file(s)\tinput-file(s)\tshellcmd\tstatus\tplan"
SCANS = [
    {"cohort": "brats", "subject": "one <b>", "sequence": "t1", "sha256": "a" * 64, "status": "found"},
    {"cohort": "brats", "subject": "two", "sequence": "t1", "sha256": "", "status": "skipped"},
]


# what made the arrays was not what writes the crate
ANOTHER = {"code": "01d", "python": "3.9.1", "packages": {"torch": "1.2.0"}, "device": "H100"}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run with two jobs, one of which has an output that is gone; the crate of its results."""
    monkeypatch.chdir(tmp_path)
    for path, text in {
        "table.csv": "raw",
        "results/ingest/brats.csv": "listing",
        "results/ingest/scans.csv": "scans",
        "results/config.yaml": "study: {}",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    rows = [
        "results/ingest/brats.csv\t-\tlist_scans\tresults/logs/list_scans/brats.log\ttable.csv\t-\tok\t-",
        "results/ingest/brats.source\t-\tlist_scans\tresults/logs/list_scans/brats.log\ttable.csv\t-\tok\t-",
        "results/ingest/scans.csv\t-\tcollect_scans\tresults/logs/collect_scans.log\t"
        "results/ingest/brats.csv\t-\tok\t-",
        "results/config.yaml\t-\trecord_provenance\tresults/logs/record_provenance.log\t-\t-\tok\t-",
    ]
    network = vae(vae_settings(2, (8, 8), kernel_size=4))
    save_weights(Path("results/train/weights.pt"), network, network.state_dict(), code="c0de")
    Path("results/score").mkdir()
    np.savez("results/score/test.npz", made_by=json.dumps(ANOTHER))
    rows.append(
        "results/score/test.npz\t-\treconstruct_scans\tresults/logs/reconstruct_scans/a.log\t-\t-\tok\t-"
    )
    # weights copied from another run, of which Snakemake has no record
    rows.append("results/train/weights.pt\t-\ttrain_model\t-\t-\t-\tok\t-")
    jobs = finished_jobs("\n".join([COLUMNS, *rows]) + "\n", without="record_provenance")
    checksums = checksums_of(jobs)
    crate = describe_run(
        jobs, checksums, SCANS, config=Path("results/config.yaml"), title="Tiny", folder="results"
    )
    (tmp_path / "results/ro-crate-metadata.json").write_text(json.dumps(crate))
    return tmp_path, jobs, checksums


def test_a_job_has_the_outputs_that_are_there_and_never_those_of_the_rule_that_asks(run):
    _, jobs, _ = run
    assert [(job.rule, job.inputs, job.outputs) for job in jobs] == [
        ("list_scans", ("table.csv",), ("results/ingest/brats.csv",)),
        ("collect_scans", ("results/ingest/brats.csv",), ("results/ingest/scans.csv",)),
        ("reconstruct_scans", ("-",), ("results/score/test.npz",)),
        ("train_model", ("-",), ("results/train/weights.pt",)),
    ]


def test_the_library_reads_the_crate_and_follows_a_result_back_to_the_raw_scan(run):
    folder, _, checksums = run
    crate = ROCrate(folder / "results")

    actions = {action["name"]: action for action in crate.get_by_type("CreateAction")}
    assert set(actions) == {
        "list_scans: brats",
        "collect_scans: collect_scans",
        "reconstruct_scans: a",
        "train_model: train",
    }
    device = actions["train_model: train"]["additionalProperty"]
    device = device if isinstance(device, list) else [device]
    assert [found["value"] for found in device] == [device_of_weights(folder / "results/train/weights.pt")]
    collected = actions["collect_scans: collect_scans"]
    assert [file.id for file in collected["result"]] == ["ingest/scans.csv"]
    assert collected["instrument"]["softwareVersion"] and collected["endTime"]
    (listing,) = collected["object"]
    assert listing.id == "ingest/brats.csv" and listing["sha256"] == checksums["results/ingest/brats.csv"]
    (scan,) = listing["mentions"]
    assert (scan["name"], scan["sha256"]) == ("brats one <b> t1", "a" * 64)
    (raw,) = actions["list_scans: brats"]["object"]
    assert raw["sha256"] == sha256(b"raw").hexdigest() and raw["contentSize"] == "3"


def test_the_crate_names_code_packages_and_config_but_no_folder_of_the_machine(run):
    folder, _, _ = run
    crate = ROCrate(folder / "results")
    workflow = crate.dereference("#workflow")
    packages = {package["name"].lower() for package in workflow["softwareRequirements"]}
    assert {"torch", "snakemake", "numpy"} <= packages and workflow["softwareVersion"]
    assert workflow["supportingData"].id == "config.yaml"
    assert str(folder) not in (folder / "results/ro-crate-metadata.json").read_text()


def instruments(folder):
    actions = ROCrate(folder / "results").get_by_type("CreateAction")
    return {action["name"].partition(":")[0]: action["instrument"] for action in actions}


def test_weights_and_arrays_are_of_the_code_packages_and_device_that_made_them(run):
    found = instruments(run[0])
    rule = found["reconstruct_scans"]
    assert (rule["softwareVersion"], rule["runtimePlatform"]) == ("01d", "Python 3.9.1")
    (package,) = rule["softwareRequirements"]
    assert (package["name"], package["softwareVersion"]) == ("torch", "1.2.0")
    (device,) = rule["additionalProperty"]
    assert device["value"] == "H100"

    assert found["train_model"]["softwareVersion"] == "c0de"
    today = {
        package["name"]: package["softwareVersion"]
        for package in found["train_model"]["softwareRequirements"]
    }
    assert today["torch"] == version("torch") != "1.2.0"


def test_a_job_whose_results_name_no_code_has_that_of_today(run):
    rule = instruments(run[0])["list_scans"]
    assert rule["softwareVersion"] == code_fingerprint(ROOT / "workflow/scripts/list_scans.py")
    assert "softwareRequirements" not in rule.properties()


def check(folder):
    command = ["sha256sum", "--check", "--quiet", "checksums.sha256"]
    return subprocess.run(command, cwd=folder / "results", capture_output=True, text=True, check=False)


def test_sha256sum_accepts_the_results_and_names_a_file_that_was_changed(run):
    folder, _, checksums = run
    (folder / "results/checksums.sha256").write_text(checksum_lines(checksums, "results"))
    assert check(folder).returncode == 0

    (folder / "results/ingest/brats.csv").write_text("listinG")
    changed = check(folder)
    assert changed.returncode != 0 and "ingest/brats.csv" in changed.stdout
