"""What jobs need, from what they work on: memory from grids and batches, minutes from subjects and steps.

Every constant is a measurement, rounded up. `python benchmarks/resources.py FOLDER` prints what the jobs of a
finished run have taken beside what these functions ask for.
"""

from collections.abc import Mapping, Sequence
from math import ceil, prod

MIB = 2**20
# What config.yaml recommends; counts in split.sizes say it better where there are any.
SUBJECTS_OF_A_BATCH = 50
# An interpreter with torch has 221 MB, a training of the demo 391, an evaluation of it less.
BASE_MB = 1000
# A cohort is stacked from arrays of 4 bytes a voxel, 6 with a further sequence, and is there twice.
ARRAY_BYTES = 10
# A training reads only its subjects: 4 bytes a voxel, and 2 for slices or for a copy on the way to a GPU.
SPLIT_BYTES = 7
# Activations and gradients, for each voxel of a batch and each map of the first level, which has 1 / 2^dims
# of the voxels: up to 232 bytes in 3-D and 95 in 2-D on a CPU, where the process keeps what it has freed.
# `python benchmarks/train.py --dims 3 --batch-size 16 --volumes 16` prints the peak; torch has 600 MB of it.
TRAINING_BYTES = 240
CUDA_MB = 4000  # libraries and context on the host's side; not measured
# Seconds of a step for each voxel and map of that kind, one thread: 1.4e-6 in 3-D at 64³, 2.7e-6 at 32³.
TRAINING_SECONDS = 3e-6
GPU_TRAINING_MINUTES = 600  # an H100 took ten; there are far slower cards
STACKING_MB = 300  # a worker, at the paper's padded grid; 231 measured
# Seconds of one scan, one thread: docs/benchmarks.md. What is not named takes next to nothing.
SECONDS_OF_A_SCAN = 2.0
SECONDS_OF_A_STEP = {
    "deepbet": 4,
    "robex": 56,
    "hd-bet": 36,
    "n4": 6,
    "non_local_means": 20,
    "affine": 11,
}
SLACK = 5  # a slower machine, larger scans, a slow disk
SHORTEST_MINUTES = 30


def expected_subjects(sizes: Sequence[Mapping[str, float]], *, batches: int) -> int:
    """At most how many subjects some cohorts have, as far as the config tells before anything is listed.

    Args:
        sizes: `split.sizes` of their groups: counts or fractions.
        batches: jobs that prepare them.
    """
    counts = [size for group in sizes for size in group.values() if isinstance(size, int)]
    return max(sum(counts), batches * SUBJECTS_OF_A_BATCH)


def arrays_mb(subjects: int, grid_voxels: Sequence[int]) -> int:
    """Memory of a job that reads the volumes of so many subjects."""
    return BASE_MB + ceil(subjects * prod(grid_voxels) * ARRAY_BYTES / MIB)


def training_mb(
    subjects: int, grid_voxels: Sequence[int], *, dims: int, maps: int, batch_size: int, on_gpu: bool
) -> int:
    """Memory of a training on the host: its samples, and a batch of the network unless a GPU computes it.

    Args:
        subjects: healthy ones.
        grid_voxels: of a volume; a 2-D network sees its first two axes.
        dims: of the network.
        maps: feature maps of its first level.
        batch_size: samples a step.
        on_gpu: a GPU is asked for. Where "auto" finds none, `train.device: cpu` counts the batch.
    """
    samples_mb = subjects * prod(grid_voxels) * SPLIT_BYTES / MIB
    work = _work_of_a_step(grid_voxels, dims=dims, maps=maps, batch_size=batch_size)
    return BASE_MB + ceil(samples_mb + (CUDA_MB if on_gpu else work * TRAINING_BYTES / MIB))


def training_minutes(
    grid_voxels: Sequence[int], *, dims: int, maps: int, batch_size: int, steps: int, on_gpu: bool
) -> int:
    """Minutes of a training, all its steps done; on a GPU what the slowest may take."""
    if on_gpu:
        return GPU_TRAINING_MINUTES
    work = steps * _work_of_a_step(grid_voxels, dims=dims, maps=maps, batch_size=batch_size)
    return SHORTEST_MINUTES + ceil(work * TRAINING_SECONDS / 60)


def preparation_mb(*, worker_mb: float, threads: int) -> int:
    """Memory of a batch of subjects in as many workers as threads."""
    return BASE_MB + ceil(worker_mb) * threads


def preparation_minutes(scans: float, steps: Sequence[str], *, threads: int) -> int:
    """Minutes of a batch of scans.

    Args:
        scans: in the batch.
        steps: how it is stripped, registered, corrected and denoised: the words of config.yaml.
        threads: workers.
    """
    seconds = SECONDS_OF_A_SCAN + sum(SECONDS_OF_A_STEP.get(step, 0) for step in steps)
    return SHORTEST_MINUTES + ceil(SLACK * scans * seconds / threads / 60)


def stacking_mb(subjects: int, grid_voxels: Sequence[int], *, threads: int) -> int:
    """Memory of a cohort that becomes one file: it is there twice, beside the workers."""
    return arrays_mb(subjects, grid_voxels) + STACKING_MB * threads


def _work_of_a_step(grid_voxels: Sequence[int], *, dims: int, maps: int, batch_size: int) -> float:
    """Voxels of a batch on the first level of the network, in all its maps."""
    return batch_size * prod(grid_voxels[:dims]) * maps / 2**dims
