"""Memory and minutes of each job of a study, from its config and the wildcards of the job.

Every constant is a measurement, rounded up. `python benchmarks/resources.py --directory FOLDER --configfile
CONFIG` prints what the jobs of a finished run have taken beside what these functions ask for.
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
        return self._network_mb(wildcards, self.subjects(self.plan.healthy), batch_size)

    def training_minutes(self, wildcards: Any, threads: int) -> int:
        """Minutes of a training, all its steps done; on a GPU what the slowest may take."""
        if self.gpus:
            return GPU_TRAINING_MINUTES
        optimisation, dims = self.config["train"]["optimisation"], self.plan.methods.of(wildcards).dims
        work = self._work_of_a_step(wildcards, optimisation["batch_size"])
        seconds = optimisation["maximum_steps"][f"{dims}d"] * work * TRAINING_SECONDS
        return SHORTEST_MINUTES + ceil(seconds / 60)

    def reconstruction_mb(self, wildcards: Any, threads: int) -> int:
        """Memory of a reconstruction job; a score that reads the network may compare with healthy scans."""
        subjects, batch_size = self.subjects([wildcards.cohort]), self.plan.samples_at_a_time(wildcards)
        own_mb = self._network_mb(wildcards, subjects, batch_size)
        if wildcards.get("stored") not in self.plan.methods.with_maps:
            return own_mb
        size = self.config["split"]["sizes"]["healthy"]["validation"]
        healthy = size if isinstance(size, int) else ceil(size * self.subjects(self.plan.healthy))
        return own_mb + ceil(healthy * prod(self.grid_voxels) * HEALTHY_BYTES / MIB)

    def _network_mb(self, wildcards: Any, subjects: int, batch_size: int) -> int:
        """Host memory for the scans of subjects, and for a batch of the network unless a GPU computes it."""
        samples_mb = subjects * prod(self.grid_voxels) * SPLIT_BYTES / MIB
        # where "auto" finds no GPU, `train.device: cpu` counts the batch
        batch_mb = self._work_of_a_step(wildcards, batch_size) * TRAINING_BYTES / MIB
        return BASE_MB + ceil(samples_mb + (CUDA_MB if self.gpus else batch_mb))

    def _work_of_a_step(self, wildcards: Any, batch_size: int) -> float:
        """Voxels of a batch on the first level of a network, in all its maps; in 2-D, of axial slices."""
        dims = self.plan.methods.of(wildcards).dims
        maps = self.plan.methods.network(wildcards)["feature_maps"][0]
        return batch_size * prod(self.grid_voxels[:dims]) * maps / 2**dims
