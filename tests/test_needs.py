"""What jobs ask for, from a config: more for more subjects and attempts, less on a GPU's host."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from spatial_erasing.jobs import resources
from spatial_erasing.needs import Needs, growing
from spatial_erasing.plan import Plan

CONFIG = yaml.safe_load((Path(__file__).parents[1] / "config.yaml").read_text())
PAPER = {"healthy": 2008, "brats": 335, "atlas": 304}  # training, validation and test subjects


class Job(dict):
    """The wildcards of a job."""

    __getattr__ = dict.__getitem__


def needs_of(**device):
    config = deepcopy(CONFIG)
    config["train"] |= device
    return Needs(Plan(config, root=Path.cwd()))


def test_a_cohort_counts_with_the_paper_s_subjects():
    needs = needs_of()
    for cohort, subjects in PAPER.items():
        batches = CONFIG["ingest"]["cohorts"][cohort]["batches"]
        assert subjects <= needs.subjects([cohort]) == max(subjects, 50 * batches)
    assert needs.subjects(PAPER) >= sum(PAPER.values())


def test_a_job_that_reads_more_cohorts_asks_for_more_and_for_each_cohort_once():
    needs, grid = needs_of(), CONFIG["preprocess"]["grid_voxels"]
    own = needs.arrays_mb()(Job(cohort="brats"), 1)
    assert own == resources.arrays_mb(needs.subjects(["brats"]), grid)
    assert needs.arrays_mb("brats")(Job(cohort="brats"), 1) == needs.arrays_mb("brats")(Job(), 1) == own
    assert needs.arrays_mb("healthy")(Job(cohort="brats"), 1) > own


@pytest.mark.parametrize("name", ["training_mb", "training_minutes", "reconstruction_mb"])
def test_a_network_in_3d_needs_more_than_one_in_2d_on_a_cpu(name):
    flat, whole = (Job(model=model, cohort="brats") for model in ("2d-none", "3d-none"))
    ask = getattr(needs_of(device="cpu"), name)
    assert ask(whole, 1) > ask(flat, 1) or name == "reconstruction_mb"  # always one volume
    assert ask(whole, 1) > 0


@pytest.mark.parametrize("size", [201, 0.25])
def test_maps_that_compare_with_healthy_scans_ask_for_those_and_their_sums(size):
    config = deepcopy(CONFIG)
    config["study"]["models"] = ["3d-none@relative"]
    config["split"]["sizes"]["healthy"] = {"training": 1807 if size == 201 else 0.75, "validation": size}
    needs = Needs(Plan(config, root=Path.cwd()))
    plain, compared = (
        needs.reconstruction_mb(Job(model="3d-none", cohort="brats", stored=stored), 1)
        for stored in ("3d-none", "3d-none@relative")
    )
    scans = size if size == 201 else size * needs.subjects(["healthy"])
    assert compared - plain == pytest.approx(scans * 64**3 * (3 * 8 + resources.SPLIT_BYTES) / 2**20, abs=1)


def test_only_a_device_that_is_not_the_cpu_asks_for_a_gpu():
    assert needs_of(device="cpu").gpus == 0
    assert needs_of(device="auto").gpus == needs_of(device="cuda").gpus == 1
    assert needs_of(device="auto").training_minutes(Job(model="3d-none"), 1) == resources.GPU_TRAINING_MINUTES


def test_more_workers_take_more_memory_and_less_time():
    needs, job = needs_of(), Job(cohort="brats")
    assert needs.preparation_mb(job, 8) > needs.preparation_mb(job, 1)
    assert needs.preparation_minutes(job, 8) < needs.preparation_minutes(job, 1)
    assert needs.stacking_mb(job, 8) > needs.stacking_mb(job, 1)


def test_a_synthetic_cohort_takes_its_arrays_and_its_workers():
    config = deepcopy(CONFIG)
    config["phantom"]["cohorts"] = {"brats": {"kind": "brats", "subjects": 12}}
    needs, arrays_mb = Needs(Plan(config, root=Path.cwd())), resources.arrays_mb(12, [64, 64, 64])
    assert [needs.synthesis_mb(Job(cohort="brats"), threads) - arrays_mb for threads in (1, 4)] == [600, 2400]


def test_each_attempt_asks_for_as_much_again():
    assert [growing(1000)(None, 1, attempt) for attempt in (1, 2, 3)] == [1000, 2000, 3000]
    assert growing(lambda wildcards, threads: wildcards + threads)(5, 2, 3) == 21
