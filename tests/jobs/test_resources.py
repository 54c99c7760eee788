import pytest

from spatial_erasing.jobs.resources import (
    arrays_mb,
    expected_subjects,
    preparation_mb,
    preparation_minutes,
    stacking_mb,
    training_mb,
    training_minutes,
)

PAPER = {"maps": 32, "batch_size": 32, "on_gpu": False}
GRID = (64, 64, 64)

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
    asked = training_mb(subjects, (edge,) * 3, dims=dims, maps=maps, batch_size=batch_size, on_gpu=False)
    assert measured_mb <= asked <= measured_mb + 1500


@pytest.mark.parametrize("edge, previous_mb", [(96, 44_000), (128, 103_000)])
def test_a_training_on_a_gpu_is_not_given_the_batch_of_a_cpu(edge, previous_mb):
    """Its samples are 4 bytes a voxel, with slices or a copy for the device 6."""
    paper = {"dims": 3, "maps": 32, "batch_size": 32}
    asked = training_mb(2008, (edge,) * 3, **paper, on_gpu=True)
    samples_mb = 2008 * edge**3 * 6 / 2**20
    assert samples_mb + 4000 < asked < 1.2 * samples_mb + 6000 < 0.5 * previous_mb
    assert asked < training_mb(2008, (edge,) * 3, **paper, on_gpu=False)


def test_twice_the_batch_takes_twice_the_memory_of_a_batch_and_twice_the_time():
    def batch(size):
        return training_mb(0, GRID, dims=3, **PAPER | {"batch_size": size}) - training_mb(
            0, GRID, dims=3, **PAPER | {"batch_size": 0}
        )

    def minutes(size):
        return training_minutes(GRID, dims=3, steps=10**6, **PAPER | {"batch_size": size})

    assert batch(64) == pytest.approx(2 * batch(32), rel=1e-3)
    assert minutes(64) - minutes(0) == pytest.approx(2 * (minutes(32) - minutes(0)), rel=1e-3)


def test_volumes_take_what_they_have_on_the_disk_and_more():
    """300 volumes of 64³ in float16 with two masks are 315 MB; reading both splits took 761 MB."""
    assert arrays_mb(300, GRID) > 761
    assert arrays_mb(2008, GRID) - arrays_mb(0, GRID) > 2008 * 64**3 * 7.1 / 2**20
    assert stacking_mb(10, GRID, threads=8) - stacking_mb(10, GRID, threads=4) == 4 * 300


def test_counts_say_how_many_subjects_there_are_where_fractions_do_not():
    assert expected_subjects([{"training": 1807, "validation": 201}], batches=4) == 2008
    assert expected_subjects([{"training": 0.9, "validation": 0.1}], batches=4) == 200
    assert expected_subjects([{"validation": 5}, {"test": 7}], batches=0) == 12


def test_a_slower_skull_strip_and_fewer_workers_take_longer_and_less_memory():
    quick = preparation_minutes(50, ["deepbet", "none"], threads=4)
    assert quick < preparation_minutes(50, ["deepbet", "n4"], threads=4)
    assert quick < preparation_minutes(50, ["robex", "none"], threads=4)
    assert quick < preparation_minutes(50, ["deepbet", "none"], threads=1)
    assert preparation_minutes(50, ["deepbet"], threads=1) * 60 > 50 * 5.4  # docs/benchmarks.md
    assert preparation_mb(worker_mb=3000, threads=4) > 4 * 1417
