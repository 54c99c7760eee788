"""What jobs ask for, from a config: more for more subjects and attempts, less on a GPU's host."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from spatial_erasing.needs import (
    GPU_TRAINING_MINUTES,
    SPLIT_BYTES,
    Needs,
    arrays_mb,
    growing,
)
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
    assert own == arrays_mb(needs.subjects(["brats"]), grid)
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
    assert compared - plain == pytest.approx(scans * 64**3 * (3 * 8 + SPLIT_BYTES) / 2**20, abs=1)


def test_only_a_device_that_is_not_the_cpu_asks_for_a_gpu():
    assert needs_of(device="cpu").gpus == 0
    assert needs_of(device="auto").gpus == needs_of(device="cuda").gpus == 1
    assert needs_of(device="auto").training_minutes(Job(model="3d-none"), 1) == GPU_TRAINING_MINUTES


def test_more_workers_take_more_memory_and_less_time():
    needs, job = needs_of(), Job(cohort="brats")
    assert needs.preparation_mb(job, 8) > needs.preparation_mb(job, 1)
    assert needs.preparation_minutes(job, 8) < needs.preparation_minutes(job, 1)
    assert needs.stacking_mb(job, 8) > needs.stacking_mb(job, 1)


def test_a_synthetic_cohort_takes_its_arrays_and_its_workers():
    config = deepcopy(CONFIG)
    config["phantom"]["cohorts"] = {"brats": {"kind": "brats", "subjects": 12}}
    needs, own = Needs(Plan(config, root=Path.cwd())), arrays_mb(12, [64, 64, 64])
    assert [needs.synthesis_mb(Job(cohort="brats"), threads) - own for threads in (1, 4)] == [600, 2400]


def test_each_attempt_asks_for_as_much_again():
    assert [growing(1000)(None, 1, attempt) for attempt in (1, 2, 3)] == [1000, 2000, 3000]
    assert growing(lambda wildcards, threads: wildcards + threads)(5, 2, 3) == 21


GRID = (64, 64, 64)


def training(dims, *, subjects=0, edge=64, batch_size=32, maps=32, device="cpu"):
    """What asks for a training of so many subjects, and its wildcards."""
    config = deepcopy(CONFIG)
    config["preprocess"]["grid_voxels"] = [edge] * 3
    config["networks"]["vae"]["feature_maps"][0] = maps
    config["train"]["device"] = device
    config["train"]["optimisation"] |= {
        "batch_size": batch_size,
        "maximum_steps": {"2d": 10**6, "3d": 10**6},
    }
    config["split"]["sizes"]["healthy"] = {"training": subjects}
    config["ingest"]["cohorts"]["healthy"]["batches"] = 0
    return Needs(Plan(config, root=Path.cwd())), Job(model=f"{dims}d-none")


def training_mb(dims, **values):
    needs, job = training(dims, **values)
    return needs.training_mb(job, 1)


# peak MB of `benchmarks/train.py` on a CPU, 2026-11-25: dims, edge, batch, maps of the first level, subjects
MEASURED = [
    (2, 64, 32, 32, 4, 500),
    (2, 64, 128, 32, 8, 900),
    (3, 32, 32, 32, 32, 1300),
    (3, 64, 8, 32, 8, 2500),
    (3, 64, 16, 32, 16, 3900),
    (3, 64, 32, 32, 32, 7800),
]


@pytest.mark.parametrize("dims, edge, batch_size, maps, subjects, measured_mb", MEASURED)
def test_a_training_is_given_what_it_was_seen_to_take_and_not_many_times_that(
    dims, edge, batch_size, maps, subjects, measured_mb
):
    asked = training_mb(dims, subjects=subjects, edge=edge, maps=maps, batch_size=batch_size)
    assert measured_mb <= asked <= measured_mb + 1500


@pytest.mark.parametrize("edge, previous_mb", [(96, 44_000), (128, 103_000)])
def test_a_training_on_a_gpu_is_not_given_the_batch_of_a_cpu(edge, previous_mb):
    """Its samples are 4 bytes a voxel, with slices or a copy for the device 6."""
    asked = training_mb(3, subjects=2008, edge=edge, device="cuda")
    samples_mb = 2008 * edge**3 * 6 / 2**20
    assert samples_mb + 4000 < asked < 1.2 * samples_mb + 6000 < 0.5 * previous_mb
    assert asked < training_mb(3, subjects=2008, edge=edge)


def test_twice_the_batch_takes_twice_the_memory_of_a_batch_and_twice_the_time():
    def minutes(size):
        needs, job = training(3, batch_size=size)
        return needs.training_minutes(job, 1)

    memory = [training_mb(3, batch_size=size) for size in (0, 32, 64)]
    assert memory[2] - memory[0] == pytest.approx(2 * (memory[1] - memory[0]), rel=1e-3)
    assert minutes(64) - minutes(0) == pytest.approx(2 * (minutes(32) - minutes(0)), rel=1e-3)


def test_volumes_take_what_they_have_on_the_disk_and_more():
    """300 volumes of 64³ in float16 with two masks are 315 MB; reading both splits took 761 MB."""
    assert arrays_mb(300, GRID) > 761
    assert arrays_mb(2008, GRID) - arrays_mb(0, GRID) > 2008 * 64**3 * 7.1 / 2**20
    needs, job = needs_of(), Job(cohort="brats")
    assert needs.stacking_mb(job, 8) - needs.stacking_mb(job, 4) == 4 * 300


@pytest.mark.parametrize(
    "sizes, subjects",
    [
        ({"healthy": {"training": 1807, "validation": 201}}, 2008),
        ({"healthy": {"training": 0.9, "validation": 0.1}}, 200),
        ({"brats": {"validation": 300}, "atlas": {"test": 407}}, 707),
    ],
)
def test_counts_say_how_many_subjects_there_are_where_fractions_do_not(sizes, subjects):
    config = deepcopy(CONFIG)
    config["split"]["sizes"] = sizes
    for cohort in sizes:
        config["ingest"]["cohorts"][cohort]["batches"] = 4
    assert Needs(Plan(config, root=Path.cwd())).subjects(sizes) == subjects


def test_a_slower_skull_strip_and_fewer_workers_take_longer_and_less_memory():
    def batch_of_fifty(strip, bias_field="none"):
        config = deepcopy(CONFIG)
        config["split"]["sizes"]["brats"] = {"validation": 25, "test": 25}
        config["ingest"]["cohorts"]["brats"] |= {"batches": 1, "skull_strip": strip, "sequences": ["t1"]}
        config["preprocess"] |= {"register": "none", "denoise": "none", "bias_field": bias_field}
        return Needs(Plan(config, root=Path.cwd()))

    job, deepbet = Job(cohort="brats"), batch_of_fifty("deepbet")
    quick = deepbet.preparation_minutes(job, 4)
    assert quick < batch_of_fifty("deepbet", "n4").preparation_minutes(job, 4)
    assert quick < batch_of_fifty("robex").preparation_minutes(job, 4)
    assert quick < deepbet.preparation_minutes(job, 1)
    assert deepbet.preparation_minutes(job, 1) * 60 > 50 * 5.4  # docs/benchmarks.md
    assert deepbet.preparation_mb(job, 4) > 4 * 1417
