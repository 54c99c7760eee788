"""What a finished study keeps when its raw data, its brains or the room on its disk are gone."""

import shutil

import pytest

BRATS = "results/preprocess/brats"
BATCH, VOLUMES = f"{BRATS}/batch-000.csv", f"{BRATS}/volumes.npz"
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def finished(begin_study):
    """One cohort of the tiny study, prepared and stacked."""
    study = begin_study()
    set_config(study, "padded_grid_voxels: auto", "padded_grid_voxels: [64, 64, 64]")
    study.run("--", VOLUMES)
    return study


@pytest.fixture
def brats(finished, tmp_path):
    """The same, for a test that changes something."""
    return finished.copy(tmp_path)


@pytest.fixture
def without_raw_data(finished, brats):
    """Its scans are gone, also from where the list of the copied study says that they are."""
    shutil.rmtree(brats.results / "phantom/brats")
    raw = finished.results / "phantom/brats"
    aside = raw.rename(raw.with_name("aside"))
    yield brats
    aside.rename(raw)


def contents(study, *names):
    return [(study.folder / name).read_bytes() for name in names]


def set_config(study, old, new):
    """Change a line of the study's configuration."""
    path = study.workflow / "tiny.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_removed_brains_do_not_take_the_arrays_with_them(brats):
    kept = [VOLUMES, f"{BRATS}/manifest.csv", f"{BRATS}/geometry.json"]
    before = contents(brats, *kept)
    subjects = brats.folder / BRATS / "subjects"
    shutil.rmtree(subjects)
    assert brats.planned("--", VOLUMES) == {}  # nothing needs them
    set_config(
        brats, "grid_voxels: [16, 16, 16]", "grid_voxels: [16, 16, 16]\n  lesion_downsampling: occupancy"
    )
    printed = brats.run("--", VOLUMES, check=False)
    assert "brats, batch-000.csv, 5 of 5 subjects, such as BraTS19_PHANTOM_001_1: their brains are" in printed
    assert "add --forcerun prepare_brains" in printed and "Finished jobid" not in printed
    assert contents(brats, *kept) == before
    brats.run("--forcerun", "prepare_brains", "--", VOLUMES)
    assert len(list(subjects.iterdir())) == 5 and contents(brats, f"{BRATS}/manifest.csv") != before[1:2]


def test_a_new_version_without_raw_data_keeps_lists_and_brains(without_raw_data):
    """The brains say so; other settings are refused, and nothing is lost by trying them."""
    brats = without_raw_data
    listed = "results/ingest/brats.csv"
    before = contents(brats, listed)
    assert brats.planned("--", VOLUMES) == {}
    chain = brats.workflow / "spatial_erasing/preprocess/chain.py"
    chain.write_text(
        chain.read_text().replace("WARNED_OUTSIDE_PERCENT = 1.0", "WARNED_OUTSIDE_PERCENT = 1.5")
    )
    brats.run("--forcerun", "list_scans", "--", BATCH)
    assert contents(brats, listed) == before
    table = (brats.folder / BATCH).read_text()
    assert table.count(",done,") == 5 and table.count("Its scans are not there any more") == 5
    set_config(brats, "preprocess:\n", "preprocess:\n  upper_percentile: 98\n")
    printed = brats.run("--", BATCH, check=False)
    assert "their scans are missing" in printed and "Restore the data" in printed
    assert (brats.folder / BATCH).read_text() == table and contents(brats, listed) == before


def test_a_disk_that_fills_while_brains_are_prepared_costs_no_subject(brats, finished):
    """Needs root."""
    subjects = brats.folder / BRATS / "subjects"
    shutil.rmtree(subjects)
    subjects.mkdir()
    again = ["--forcerun", "prepare_brains", "--", BATCH]
    status, printed = brats.run_after(f"mount -t tmpfs -o size=64k tmpfs '{subjects}'", *again)
    assert status != 0 and "Error in rule prepare_brains" in printed
    assert "No space left on device" in printed and "give the same command again" in printed
    assert "brats,BraTS19_PHANTOM_00" in printed  # the line that leaves one out
    assert not (brats.folder / BATCH).exists()
    brats.run("--", BATCH)  # and no --forcerun
    assert contents(brats, BATCH) == contents(finished, BATCH)
