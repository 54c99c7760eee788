"""What a study does when its raw data change, on a copy of the tiny one whose data lie outside results/."""

import csv
import gzip
import hashlib
import os
import shutil
import tarfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import nibabel as nib
import numpy as np
import pytest

from spatial_erasing.cohorts import read_rows

COHORTS = ("healthy", "brats", "atlas")
PREPARED = [
    "--",
    *(f"results/preprocess/{cohort}/volumes.npz" for cohort in COHORTS),
    "results/split/splits.csv",
]


def replace(path, old, new):
    text = path.read_text()
    assert old in text, old
    path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def listed_study(study, tmp_path_factory):
    """The tiny study with raw data of its own beside the results, prepared and split."""
    copied = study.copy(tmp_path_factory.mktemp("own data"))
    config = copied.workflow / "tiny.yaml"
    for cohort in COHORTS:
        shutil.copytree(copied.results / "phantom" / cohort, copied.folder / "raw" / cohort)
        replace(config, f"path: results/phantom/{cohort}", f"path: raw/{cohort}")
    replace(config, "brats: {validation: 2, test: 3}", "brats: {validation: 0.4, test: 0.6}")
    replace(config, "padded_grid_voxels: auto", "padded_grid_voxels: [48, 56, 48]")
    copied.run(*PREPARED)
    assert copied.planned(*PREPARED) == {}
    return copied


@pytest.fixture
def own(listed_study, tmp_path):
    """A copy of that study which a test may change."""
    return listed_study.copy(tmp_path)


def records(study):
    """When the brain of each subject was made."""
    paths = (study.results / "preprocess").glob("*/subjects/*/record.json")
    return {(path.parts[-4], path.parts[-2]): path.stat().st_mtime_ns for path in paths}


def write_another(source, target):
    """The same head with another contrast, so that it is no twin, nor one in another unit."""
    scan = nib.load(source)
    intensities = scan.get_fdata(dtype="float32")
    top = intensities.max()
    nib.save(nib.Nifti1Image(top * (intensities / top) ** 0.7, scan.affine), target)


def write_smaller(source, target):
    """The same lesion without one of its voxels, so that no two subjects share a mask."""
    lesion = nib.load(source)
    labels = np.asarray(lesion.dataobj).copy()
    labels[tuple(np.argwhere(labels)[0])] = 0
    nib.save(nib.Nifti1Image(labels, lesion.affine), target)


def add_to_brats(study):
    """One more case in the folder."""
    first = min((study.folder / "raw/brats").glob("*/*/"))
    added = first.parent / "BraTS19_PHANTOM_900_1"
    added.mkdir()
    for path in first.iterdir():
        name = path.name.replace(first.name, added.name)
        write_smaller(path, added / name) if "_seg" in name else write_another(path, added / name)
    return added.name


def add_to_table(study):
    """One more line in the table, with its scan."""
    table = study.folder / "raw/healthy/participants.csv"
    rows = read_rows(table)
    added = rows[0] | {"subject": "added", "t1": "added.nii.gz"}
    write_another(table.parent / rows[0]["t1"], table.parent / added["t1"])
    with table.open("a", newline="") as stream:
        csv.DictWriter(stream, list(added), lineterminator="\n").writerow(added)
    return added["subject"]


def test_a_new_subject_of_a_folder_and_of_a_table_is_seen_and_is_the_only_one_prepared(own):
    before = records(own)
    added = {("brats", add_to_brats(own)), ("healthy", add_to_table(own))}
    planned = own.planned(*PREPARED)
    assert planned["list_scans"] == 2 and planned["prepare_brains"] == 3 and planned["stack_cohort"] == 2
    own.run(*PREPARED)
    after = records(own)
    assert set(after) == set(before) | added
    assert {subject: after[subject] for subject in before} == before
    for cohort, subject in added:
        rows = read_rows(own.results / f"preprocess/{cohort}/manifest.csv")
        assert [row["status"] for row in rows if row["subject"] == subject] == ["done"]
    assert own.planned(*PREPARED) == {}


def test_a_scan_of_another_size_is_seen_in_a_table_too(own):
    scan = min((own.folder / "raw/healthy").glob("*.nii.gz"))
    scan.write_bytes(scan.read_bytes() + b"more")
    assert own.planned(*PREPARED)["list_scans"] == 1


@pytest.mark.parametrize("how", ["removed", "not mounted"])
def test_a_prepared_study_needs_its_raw_data_no_more(own, how):
    shutil.rmtree(own.folder / "raw")
    if how == "not mounted":
        for cohort in COHORTS:
            (own.folder / "raw" / cohort).mkdir(parents=True)
    assert own.planned(*PREPARED) == {}


def test_a_run_that_is_copied_with_new_times_lists_nothing_again_and_says_so(own):
    scan = min((own.folder / "raw/brats").rglob("*_t1.nii.gz"))
    os.utime(scan, (time.time() + 60,) * 2)
    printed = own.run("--dry-run", *PREPARED)
    lines = [line for line in printed.splitlines() if "is newer than" in line]
    assert len(lines) == 1 and scan.name in lines[0] and "--forcerun list_scans" in lines[0]
    assert own.planned(*PREPARED) == {}
    assert own.planned("--forcerun", "list_scans", *PREPARED)["list_scans"] == 3


def test_ingest_shows_what_was_found_each_time_and_not_what_comes_at_the_end_of_a_study(own):
    for _ in range(2):
        printed = own.run("--", "ingest")
        assert "healthy: 5 scans of 5 subjects found (t1 5; 0 with a lesion mask; " in printed
        assert "brats: 10 scans of 5 subjects found (t1 5, t1ce 5; 10 with a lesion mask; " in printed
        assert "brats: fits, validation 2, test 3" in printed
        assert "Next: the same command without the word ingest" in printed
        assert "Done." in printed and "report.html" not in printed and "table_1" not in printed
    assert own.planned("--", "ingest") == {"ingest": 1}
    summary = (own.results / "ingest/summary.txt").read_text()
    assert summary.strip() in printed


def test_one_brain_in_a_healthy_and_a_lesion_cohort_is_split_only_after_one_of_them_is_left_out(own):
    healthy = min((own.folder / "raw/healthy").glob("*.nii.gz"))
    case = min((own.folder / "raw/brats").rglob("*_t1.nii.gz"))
    case.write_bytes(gzip.compress(gzip.decompress(healthy.read_bytes()), 1))
    for target in (("--", "results/split/brats.csv"), ("--", "ingest")):
        printed = own.run(*target, check=False)
        assert f"{healthy.name} (healthy phantom-0001 t1) and {case} (brats " in printed
    line = "healthy,phantom-0001,the same scan as brats BraTS19_PHANTOM_001_1"
    assert f"cohort,subject,reason\n  {line}" in printed
    (own.folder / "exclude.csv").write_text(f"cohort,subject,reason\n{line}\n")
    replace(own.workflow / "tiny.yaml", "ingest:\n", "ingest:\n  exclude: exclude.csv\n")
    own.run("--", "results/split/splits.csv")
    assert "phantom-0001" not in (own.results / "split/healthy.csv").read_text()


def test_sizes_that_do_not_fit_are_told_before_anything_is_computed(own):
    replace(
        own.workflow / "tiny.yaml", "brats: {validation: 0.4, test: 0.6}", "brats: {validation: 3, test: 3}"
    )
    replace(own.workflow / "tiny.yaml", "    brats: {kind: brats, subjects: 5}\n", "")
    printed = own.run("--", "ingest")
    assert "brats: DOES NOT FIT. brats has 5 subjects" in printed
    assert "      brats: {validation: 0.5, test: 0.5}\n  under split.sizes." in printed


def test_a_line_that_excludes_a_subject_runs_its_cohort_alone_again(own):
    replace(own.workflow / "tiny.yaml", "ingest:\n", "ingest:\n  exclude: mine.csv\n")
    table = own.folder / "mine.csv"
    table.write_text("cohort,subject,reason\n")
    assert own.planned(*PREPARED) == {}, "a table without lines changes nothing"

    subject = read_rows(own.results / "ingest/brats.csv")[0]["subject"]
    before = records(own)
    table.write_text(f"cohort,subject,reason\nbrats,{subject},moved\nbrats,{subject[:-1]}9,no such\n")
    planned = own.planned(*PREPARED)
    assert [planned[rule] for rule in ("list_scans", "prepare_brains", "stack_cohort")] == [1, 1, 1]
    assert planned["assign_splits"] == 1
    own.run(*PREPARED)
    rows = {row["subject"]: row for row in read_rows(own.results / "ingest/brats.csv")}
    assert rows[subject]["reason"] == "excluded: moved (mine.csv)"
    assert subject not in {row["subject"] for row in read_rows(own.results / "split/brats.csv")}
    assert records(own) == before
    printed = own.run("--", "ingest")
    assert f"2 × excluded, such as {subject} t1" in printed
    assert f"warning: {subject[:-1]}9 is to be excluded, no such (mine.csv), but no subject" in printed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "ingest.exclude: mine.csv"),
        ("cohort,subject,reason\nbrast,x,y\n", "names the cohort 'brast'"),
        ("cohort,subject\nbrats,x\n", "missing columns: reason"),
    ],
)
def test_a_wrong_table_of_exclusions_is_one_readable_error(own, text, message):
    replace(own.workflow / "tiny.yaml", "ingest:\n", "ingest:\n  exclude: mine.csv\n")
    if text:
        (own.folder / "mine.csv").write_text(text)
    printed = own.run("--dry-run", *PREPARED, check=False)
    assert message in printed and "Traceback" not in printed and "rule " not in printed


@pytest.fixture
def shop(own):
    """The raw BraTS folder as an archive that can be fetched; gives its address and file."""
    shop = own.folder / "shop"
    shop.mkdir()
    with tarfile.open(shop / "brats.tar.gz", "w:gz") as tar:
        tar.add(own.folder / "raw/brats", "MICCAI_BraTS")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(shop)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    yield f"http://127.0.0.1:{server.server_port}/brats.tar.gz", shop / "brats.tar.gz"
    server.shutdown()
    server.server_close()


def test_a_cohort_waits_for_its_download_and_a_checksum_written_down_later_lists_nothing_again(own, shop):
    url, archive = shop
    config, wanted = own.workflow / "tiny.yaml", ["--", "results/ingest/brats.csv"]
    replace(config, "path: raw/brats", "path: results/ingest/downloads/brats/MICCAI_BraTS")
    replace(config, "ingest:\n", f"ingest:\n  downloads: {{brats: {{url: '{url}', sha256: null}}}}\n")
    assert own.planned(*wanted) == {"fetch_archive": 1, "list_scans": 1}
    own.run(*wanted)
    rows = read_rows(own.results / "ingest/brats.csv")
    assert len(rows) == 10 and all("downloads/brats/MICCAI_BraTS" in row["path"] for row in rows)
    log = (own.results / "logs/fetch_archive/brats.log").read_text()
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert f"sha256: {found}" in log

    archive.unlink()
    replace(config, "sha256: null", f"sha256: {found}")
    listed = (own.results / "ingest/brats.csv").stat().st_mtime_ns
    own.run(*wanted)
    assert (own.results / "ingest/brats.csv").stat().st_mtime_ns == listed
    assert own.planned(*wanted) == {}
