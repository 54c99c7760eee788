"""What all rules share: the checked config, the list of runs, and fingerprints of the code."""

import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(workflow.basedir))

from spatial_erasing import models, paths, provenance, study

paths.anchor_data_folder()

SCHEMA = Path(workflow.basedir, "workflow/schemas/config.schema.yaml")

try:
    study.check_schema(config, yaml.safe_load(SCHEMA.read_text()))
    study.check_study(config)
    # jobs of a cluster may not see the raw data, and the linter needs none
    if workflow.is_main_process and "--lint" not in sys.argv:
        study.check_paths(config, root=Path.cwd())
except ValueError as error:
    raise WorkflowError(str(error)) from None

HEALTHY = config["study"]["healthy_cohorts"]
LESION = config["study"]["lesion_cohorts"]
COHORTS = [*HEALTHY, *LESION]
RUNS = study.list_runs(config["study"])
# On the CPU several trainings may share the machine; on a GPU each has a device of its own.
GPUS = 0 if config["train"]["device"] == "cpu" else 1


wildcard_constraints:
    cohort="|".join(COHORTS),
    group="|".join(["healthy", *LESION]),
    batch=r"\d{3}",
    percent=r"\d+",
    seed=r"\d+",
    sequence="t1|t1ce",
    split="validation|test",


def code_fingerprint(script):
    """Changes when the logic that a rule's script reaches changes; Snakemake sees only the script itself."""
    return provenance.code_fingerprint(
        Path(workflow.basedir, "workflow/scripts", f"{script}.py")
    )


def batches_of(cohort):
    """Names of a cohort's preprocessing jobs; a subject's job follows from its name alone."""
    return [
        f"{batch:03d}"
        for batch in range(config["ingest"]["cohorts"][cohort]["batches"])
    ]


def phantoms_of(wildcards):
    """A synthetic cohort must be made before it is listed; a table of real scans is itself an input."""
    source = config["ingest"]["cohorts"][wildcards.cohort]
    if source["path"].startswith("results/phantom/"):
        return "results/phantom/{}.csv".format(source["path"].split("/")[2])
    if source["reader"] == "table":
        return str(paths.expand_path(source["path"], base=Path.cwd()))
    return []


def planted_source():
    """The table of healthy real scans of which some receive a lesion."""
    if config["phantom"]["planted"] is None:
        raise WorkflowError(
            "a cohort of this study lies in results/phantom/planted/, but phantom.planted is null. "
            "Say what to plant, as config/real.yaml does."
        )
    return str(
        paths.expand_path(config["phantom"]["planted"]["source"], base=Path.cwd())
    )


def cohorts_of(wildcards):
    """The cohorts that are split together: all healthy ones, or a lesion cohort by itself."""
    return HEALTHY if wildcards.group == "healthy" else [wildcards.group]


def threshold_source(wildcards):
    """The cohort whose validation split finds a cohort's threshold: itself, unless the config names another."""
    return config["threshold"]["from_cohort"].get(wildcards.cohort, wildcards.cohort)


def evaluations(file):
    """This file of every run on every data set."""
    return [
        f"results/evaluate/{run.folder}/{dataset}/{file}"
        for run in RUNS
        for dataset in study.list_datasets(
            run, study=config["study"], cohorts=config["ingest"]["cohorts"]
        )
    ]


def trained_runs(file):
    """This file of every network trained on all healthy subjects with the first seed, in the order of Table 1."""
    seed = config["study"]["seeds"][0]
    trained = [
        run
        for run in RUNS
        if run.fraction_percent == 100
        and run.seed == seed
        and run.model in models.MODEL_NAMES
    ]
    trained.sort(key=lambda run: models.MODEL_NAMES.index(run.model))
    return [f"results/train/{run.folder}/{file}" for run in trained]


def example_run():
    """Folder of the run whose test subjects Figure 7 shows."""
    return study.Run(
        config["study"]["example_model"], 100, config["study"]["seeds"][0]
    ).folder


def table_2():
    """Table 2 compares T1 with T1ce, where a lesion cohort has both."""
    has_contrast = any(
        "t1ce" in config["ingest"]["cohorts"][cohort]["sequences"] for cohort in LESION
    )
    return ["results/report/tables/table_2.md"] if has_contrast else []


def brains_that_set_the_grid(wildcards):
    """With padded_grid_voxels: auto, the largest brain of any cohort sets the grid of all."""
    if config["preprocess"]["padded_grid_voxels"] != "auto":
        return []
    return [
        f"results/preprocess/{cohort}/batch-{batch}.csv"
        for cohort in COHORTS
        for batch in batches_of(cohort)
    ]


RESULTS = [
    "results/ingest/scans.csv",
    "results/split/splits.csv",
    "results/evaluate/subjects.csv",
    "results/report/tables/table_1.md",
    "results/report/figures/figure_3.png",
    "results/report/figures/figure_7.png",
    "results/report/figures/history.png",
    *table_2(),
    *(f"results/preprocess/{cohort}/quality.pdf" for cohort in COHORTS),
]
