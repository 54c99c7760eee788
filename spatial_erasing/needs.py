"""Memory and minutes of each job of a study, from its config and the wildcards of the job."""

from collections.abc import Callable, Iterable
from math import ceil
from typing import Any, TypedDict

from spatial_erasing.jobs import resources
from spatial_erasing.plan import Plan
from spatial_erasing.preprocess.settings import MEMORY_MB_PER_WORKER, NETWORKS

Amount = Callable[[Any, int], int]


class NetworkNeeds(TypedDict):
    """Values that determine the needs of a job with a network."""

    grid_voxels: list[int]
    dims: int
    maps: int
    on_gpu: bool


def growing(amount: int | Amount) -> Callable[[Any, int, int], int]:
    """Memory or minutes of a rule, multiplied by the attempt if a profile has retries."""

    def asked(wildcards: Any, threads: int, attempt: int) -> int:
        return attempt * (amount(wildcards, threads) if callable(amount) else amount)

    return asked


class Needs:
    """Memory in MB and minutes of the jobs of a study, each from the wildcards and threads of a job."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.config = plan, plan.config
        # On the CPU several trainings may share the machine; on GPUs each has its own device.
        self.gpus = 0 if self.config["train"]["device"] == "cpu" else 1

    def subjects(self, cohorts: Iterable[str]) -> int:
        """The maximum number of subjects of these cohorts."""
        cohorts = list(cohorts)
        groups = {"healthy" if cohort in self.plan.healthy else cohort for cohort in cohorts}
        return resources.expected_subjects(
            [self.config["split"]["sizes"][group] for group in groups],
            batches=sum(len(self.plan.batches_of(cohort)) for cohort in cohorts),
        )

    def arrays_mb(self, *cohorts: str) -> Amount:
        """Memory of a job that reads the volumes of its own and of these cohorts."""

        def asked(wildcards: Any, threads: int) -> int:
            read = {*cohorts, *wildcards.get("cohort", "").split()}
            return resources.arrays_mb(self.subjects(read), self.config["preprocess"]["grid_voxels"])

        return asked

    def stacking_mb(self, wildcards: Any, threads: int) -> int:
        """Memory of a job that stacks a cohort into one file."""
        grid_voxels = self.config["preprocess"]["grid_voxels"]
        return resources.stacking_mb(self.subjects([wildcards.cohort]), grid_voxels, threads=threads)

    def synthesis_mb(self, wildcards: Any, threads: int) -> int:
        """Memory of a job that synthesises a cohort as one file."""
        subjects = self.config["phantom"]["cohorts"][wildcards.cohort]["subjects"]
        return resources.arrays_mb(subjects, self.config["preprocess"]["grid_voxels"]) + 600 * threads

    def preparation_mb(self, wildcards: Any, threads: int) -> int:
        """Memory of the workers of a preprocessing batch."""
        method = self.plan.sources[wildcards.cohort]["skull_strip"]
        worker_mb = NETWORKS.get(method, MEMORY_MB_PER_WORKER)
        return resources.preparation_mb(worker_mb=worker_mb, threads=threads)

    def preparation_minutes(self, wildcards: Any, threads: int) -> int:
        """Minutes of a preprocessing batch."""
        source = self.plan.sources[wildcards.cohort]
        subjects = self.subjects([wildcards.cohort]) / source["batches"]
        steps = [self.config["preprocess"][step] for step in ("register", "bias_field", "denoise")]
        return resources.preparation_minutes(
            subjects * len(source["sequences"]), [source["skull_strip"], *steps], threads=threads
        )

    def training_mb(self, wildcards: Any, threads: int) -> int:
        """Host memory of a training."""
        batch_size = self.config["train"]["optimisation"]["batch_size"]
        subjects = self.subjects(self.plan.healthy)
        return resources.training_mb(subjects, batch_size=batch_size, **self._network(wildcards))

    def training_minutes(self, wildcards: Any, threads: int) -> int:
        """Minutes of a training."""
        network, optimisation = self._network(wildcards), self.config["train"]["optimisation"]
        steps = optimisation["maximum_steps"]["{}d".format(network["dims"])]
        return resources.training_minutes(batch_size=optimisation["batch_size"], steps=steps, **network)

    def reconstruction_mb(self, wildcards: Any, threads: int) -> int:
        """Memory of a reconstruction job."""
        network = self._network(wildcards)
        batch_size = self.plan.samples_at_a_time(wildcards)
        own_mb = resources.training_mb(self.subjects([wildcards.cohort]), batch_size=batch_size, **network)
        if wildcards.get("stored") not in self.plan.methods.with_maps:
            return own_mb
        size = self.config["split"]["sizes"]["healthy"]["validation"]
        healthy = size if isinstance(size, int) else ceil(size * self.subjects(self.plan.healthy))
        return own_mb + resources.healthy_mb(healthy, network["grid_voxels"])

    def _network(self, wildcards: Any) -> NetworkNeeds:
        return {
            "grid_voxels": self.config["preprocess"]["grid_voxels"],
            "dims": self.plan.methods.of(wildcards).dims,
            "maps": self.plan.methods.network(wildcards)["feature_maps"][0],
            "on_gpu": self.gpus > 0,
        }
