"""Memory and minutes of each job of a study, from its config and the wildcards of the job.

Every constant is a measurement, rounded up. `python benchmarks/resources.py FOLDER` prints what the jobs of a
finished run have taken beside what these functions ask for.
"""

from collections.abc import Callable, Iterable, Sequence
from math import ceil, prod
from typing import Any

from spatial_erasing.plan import Plan
from spatial_erasing.preprocess.settings import MEMORY_MB_PER_WORKER, NETWORKS

Amount = Callable[[Any, int], int]

MIB = 2**20
# What config.yaml recommends; counts in split.sizes say it better where there are any.
SUBJECTS_OF_A_BATCH = 50
# An interpreter with torch has 221 MB, a training of the demo 391, an evaluation of it less.
BASE_MB = 1000
# A cohort is stacked from arrays of 4 bytes a voxel, 6 with a further sequence, and is there twice.
ARRAY_BYTES = 10
# A training reads only its subjects: 4 bytes a voxel, and 2 for slices or for a copy on the way to a GPU.
SPLIT_BYTES = 7
# A relative score also keeps three float64 sums of each healthy validation scan.
HEALTHY_BYTES = SPLIT_BYTES + 24
# Activations and gradients, for each voxel of a batch and each map of the first level, which has 1 / 2^dims
# of the voxels: up to 232 bytes in 3-D and 95 in 2-D on a CPU, where the process keeps what it has freed.
# `python benchmarks/train.py --dims 3 --batch-size 16 --volumes 16` prints the peak; torch has 600 MB of it.
TRAINING_BYTES = 240
CUDA_MB = 4000  # libraries and context on the host's side; not measured
# Seconds of a step for each voxel and map of that kind, one thread: 1.4e-6 in 3-D at 64³, 2.7e-6 at 32³.
TRAINING_SECONDS = 3e-6
GPU_TRAINING_MINUTES = 600  # an H100 took ten; there are far slower cards
STACKING_MB = 300  # a worker, at the paper's padded grid; 231 measured
SYNTHESIS_MB = 600  # a worker
# Seconds of one scan, one thread: docs/benchmarks.md. What is not named takes next to nothing.
SECONDS_OF_A_SCAN = 2.0
SECONDS_OF_A_STEP = {"deepbet": 4, "robex": 56, "hd-bet": 36, "n4": 6, "non_local_means": 20, "affine": 11}
SLACK = 5  # a slower machine, larger scans, a slow disk
SHORTEST_MINUTES = 30


def growing(amount: int | Amount) -> Callable[[Any, int, int], int]:
    """Memory or minutes of a rule, multiplied by the attempt if a profile has retries."""

    def asked(wildcards: Any, threads: int, attempt: int) -> int:
        return attempt * (amount(wildcards, threads) if callable(amount) else amount)

    return asked


def arrays_mb(subjects: int, grid_voxels: Sequence[int]) -> int:
    """Memory of a job that reads the volumes of so many subjects."""
    return BASE_MB + ceil(subjects * prod(grid_voxels) * ARRAY_BYTES / MIB)


def training_mb(
    subjects: int, grid_voxels: Sequence[int], *, dims: int, maps: int, batch_size: int, on_gpu: bool
) -> int:
    """Memory of a training on the host: its samples, and a batch of the network unless a GPU computes it.

    Args:
        grid_voxels: of a volume; a 2-D network sees its first two axes.
        maps: feature maps of the network's first level.
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


def _work_of_a_step(grid_voxels: Sequence[int], *, dims: int, maps: int, batch_size: int) -> float:
    """Voxels of a batch on the first level of the network, in all its maps."""
    return batch_size * prod(grid_voxels[:dims]) * maps / 2**dims


class Needs:
    """Memory in MB and minutes of the jobs of a study, each from the wildcards and threads of a job."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.config = plan, plan.config
        self.grid_voxels: list[int] = self.config["preprocess"]["grid_voxels"]
        # On the CPU several trainings may share the machine; on GPUs each has its own device.
        self.gpus = 0 if self.config["train"]["device"] == "cpu" else 1

    def subjects(self, cohorts: Iterable[str]) -> int:
        """The maximum number of subjects of these cohorts, as far as the config tells."""
        cohorts = list(cohorts)
        groups = {"healthy" if cohort in self.plan.healthy else cohort for cohort in cohorts}
        sizes = [size for group in groups for size in self.config["split"]["sizes"][group].values()]
        batches = sum(self.plan.sources[cohort]["batches"] for cohort in cohorts)
        # a size that is no count is a fraction
        return max(sum(size for size in sizes if isinstance(size, int)), batches * SUBJECTS_OF_A_BATCH)

    def arrays_mb(self, *cohorts: str) -> Amount:
        """Memory of a job that reads the volumes of its own and of these cohorts."""

        def asked(wildcards: Any, threads: int) -> int:
            return arrays_mb(
                self.subjects({*cohorts, *wildcards.get("cohort", "").split()}), self.grid_voxels
            )

        return asked

    def stacking_mb(self, wildcards: Any, threads: int) -> int:
        """Memory of a job that stacks a cohort into one file, beside its workers."""
        return arrays_mb(self.subjects([wildcards.cohort]), self.grid_voxels) + STACKING_MB * threads

    def synthesis_mb(self, wildcards: Any, threads: int) -> int:
        """Memory of a job that synthesises a cohort as one file."""
        subjects = self.config["phantom"]["cohorts"][wildcards.cohort]["subjects"]
        return arrays_mb(subjects, self.grid_voxels) + SYNTHESIS_MB * threads

    def preparation_mb(self, wildcards: Any, threads: int) -> int:
        """Memory of a preprocessing batch, in as many workers as threads."""
        method = self.plan.sources[wildcards.cohort]["skull_strip"]
        return BASE_MB + NETWORKS.get(method, MEMORY_MB_PER_WORKER) * threads

    def preparation_minutes(self, wildcards: Any, threads: int) -> int:
        """Minutes of a preprocessing batch."""
        source = self.plan.sources[wildcards.cohort]
        scans = self.subjects([wildcards.cohort]) / source["batches"] * len(source["sequences"])
        chosen = [self.config["preprocess"][step] for step in ("register", "bias_field", "denoise")]
        steps = (SECONDS_OF_A_STEP.get(name, 0) for name in (source["skull_strip"], *chosen))
        seconds = scans * (SECONDS_OF_A_SCAN + sum(steps))
        return SHORTEST_MINUTES + ceil(SLACK * seconds / threads / 60)

    def training_mb(self, wildcards: Any, threads: int) -> int:
        """Host memory of a training."""
        batch_size = self.config["train"]["optimisation"]["batch_size"]
        subjects = self.subjects(self.plan.healthy)
        return training_mb(subjects, batch_size=batch_size, **self._network(wildcards))

    def training_minutes(self, wildcards: Any, threads: int) -> int:
        """Minutes of a training."""
        network, optimisation = self._network(wildcards), self.config["train"]["optimisation"]
        steps = optimisation["maximum_steps"]["{}d".format(network["dims"])]
        return training_minutes(batch_size=optimisation["batch_size"], steps=steps, **network)

    def reconstruction_mb(self, wildcards: Any, threads: int) -> int:
        """Memory of a reconstruction job; a score that reads the network may compare with healthy scans."""
        own_mb = training_mb(
            self.subjects([wildcards.cohort]),
            batch_size=self.plan.samples_at_a_time(wildcards),
            **self._network(wildcards),
        )
        if wildcards.get("stored") not in self.plan.methods.with_maps:
            return own_mb
        size = self.config["split"]["sizes"]["healthy"]["validation"]
        healthy = size if isinstance(size, int) else ceil(size * self.subjects(self.plan.healthy))
        return own_mb + ceil(healthy * prod(self.grid_voxels) * HEALTHY_BYTES / MIB)

    def _network(self, wildcards: Any) -> dict[str, Any]:
        """The arguments that determine the needs of a job with a network."""
        return {
            "grid_voxels": self.grid_voxels,
            "dims": self.plan.methods.of(wildcards).dims,
            "maps": self.plan.methods.network(wildcards)["feature_maps"][0],
            "on_gpu": self.gpus > 0,
        }
