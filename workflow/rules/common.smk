"""What all rules share: the checked config, the list of runs, and fingerprints of the code."""

import functools
import re
import sys
from dataclasses import asdict
from pathlib import Path

import snakemake.jobs
import yaml
from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(workflow.basedir))

from spatial_erasing import (
    entries,
    models,
    packages,
    parallel,
    paths,
    preflight,
    provenance,
    registry,
    resources,
    run_lock,
    study,
)
from spatial_erasing.ingest.source import download_of, source_signature
from spatial_erasing.ingest.user_exclusion import read_exclusions
from spatial_erasing.preprocess import settings as preparation

paths.anchor_data_folder()
parallel.name_snakemake()

SCHEMA = Path(workflow.basedir, "workflow/schemas/config.schema.yaml")


@functools.cache
def excluded_subjects():
    """Cohort to the subjects that the user leaves out of it, with the reason of each."""
    table = config["ingest"]["exclude"]
    if table is None:
        return {}
    table = paths.expand_path(table, base=Path.cwd())
    return read_exclusions(table, cohorts=list(config["ingest"]["cohorts"]))


try:
    study.check_schema(config, yaml.safe_load(SCHEMA.read_text()))
    study.check_study(config)
    # jobs of a cluster may not see the raw data, and the linter needs none
    if workflow.is_main_process and "--lint" not in sys.argv:
        run_lock.require_writable(Path.cwd())
        study.check_paths(config, root=Path.cwd())
        # an environment of a job brings its own packages
        if not workflow.deployment_settings.deployment_method:
            packages.require_packages(config, root=Path.cwd())
        excluded_subjects()
except ValueError as error:
    raise WorkflowError(str(error)) from None

# A limit in a profile is lost with `--resources gpu=1`, and then all jobs that fit the cores start at once. Jobs
# that a cluster starts elsewhere (its executors have `nodes`) are not bound by the memory of this machine.
if (
    workflow.is_main_process
    and workflow.resource_settings.nodes is None
    and not {"mem", "mem_mb", "mem_mib"} & set(workflow.global_resources)
    and (limit_mb := parallel.memory_limit_mb())
):
    workflow.register_resource("mem_mb", limit_mb)

# When a script was last written says nothing: a fresh clone, `git checkout` and `cp -r` set it anew. `code_fingerprint`
# says what has changed. The profiles have `rerun-triggers` for it; this holds for commands that read no profile, and
# Snakemake has no directive for it.
snakemake.jobs.get_script_mtime = lambda script: 0.0

POST_PROCESSING = {
    key: config["score"][key] for key in ("erosion_iterations", "median_size_voxels")
}
THRESHOLD_SEARCH = {
    key: config["threshold"][key] for key in ("iterations", "lower", "upper")
}
PREPARATION = {
    name: config["preprocess"][name]
    for name in preparation.BrainSettings.__dataclass_fields__
}
HEALTHY = config["study"]["healthy_cohorts"]
LESION = config["study"]["lesion_cohorts"]
COHORTS = [*HEALTHY, *LESION]
RUNS = study.list_runs(config["study"])
METHODS = models.list_methods(config)
EXAMPLE = METHODS[config["study"]["example_model"]]
TRAINED = [name for name in config["models"] if not METHODS[name].is_baseline]
# The score stage stores a model's reconstructions, and the maps of every method whose score reads the network.
STORED_MAPS = {
    f"{method.model}@{method.score}": method
    for method in METHODS.values()
    if not method.is_baseline and entries.reads(config, method.score) == "network"
}
# On the CPU several trainings may share the machine; on a GPU each has a device of its own.
GPUS = 0 if config["train"]["device"] == "cpu" else 1


def one_of(names):
    """A wildcard that is one of these names; of none, one that matches nothing."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    cohort=one_of(COHORTS),
    group=one_of(["healthy", *LESION]),
    model=one_of(TRAINED),
    method=one_of(METHODS),
    stored=one_of([*TRAINED, *STORED_MAPS]),
    baseline=one_of(name for name in config["models"] if name not in TRAINED),
    archive="[a-z][a-z0-9_]*",
    batch=r"\d{3}",
    percent=r"\d+",
    seed=r"\d+",
    sequence="t1|t1ce",
    split="validation|test",
    subject=r"[^/]+",


@functools.cache
def fingerprint_of(script, *templates, kinds=()):
    """Changes when the logic that a rule's script reaches changes; Snakemake sees only the script itself."""
    return provenance.code_fingerprint(
        Path(workflow.basedir, "workflow/scripts", f"{script}.py"),
        *(Path(workflow.basedir, "workflow/report", name) for name in templates),
        kinds=kinds,
    )


def code_fingerprint(script, *templates, kinds=lambda wildcards: ()):
    """The fingerprint of a script's code, not found before a job needs it: no job reads the code of all others."""
    return lambda wildcards: fingerprint_of(
        script, *templates, kinds=tuple(kinds(wildcards))
    )


def method_of(wildcards):
    """The method that a job of any stage is about; Figure 7's where a job has no wildcards."""
    names = (wildcards.get(name) for name in ("method", "stored", "baseline", "model"))
    name = next(filter(None, names), EXAMPLE.name)
    return STORED_MAPS.get(name) or METHODS[name]


def network_entry(wildcards):
    """The settings of a model's network."""
    return config["networks"][method_of(wildcards).network]


def score_entry(wildcards):
    """The settings of a method's score."""
    return config["scores"][method_of(wildcards).score]


def scoring(wildcards):
    """A method's score and the post-processing of all scores."""
    return {"score": score_entry(wildcards), "post_processing": POST_PROCESSING}


def model_entry(wildcards):
    """What the training of a model depends on beside its network; its title is not part of it."""
    method = method_of(wildcards)
    return {
        "name": method.model,
        "spatial_dims": method.dims,
        "erase": method.erase,
        "fill": method.fill,
    }


def kinds_of_model(wildcards):
    """Modules of a model's network, erasing and fill."""
    method = method_of(wildcards)
    yield registry.NETWORKS.file(network_entry(wildcards)["kind"])
    yield registry.ERASINGS.file(method.erase)
    if method.fill != "none":
        yield registry.FILLS.file(method.fill)


def kind_of_score(wildcards):
    """Module of a method's score."""
    return [registry.SCORES.file(score_entry(wildcards)["kind"])]


def score_to_store(wildcards):
    """The score whose maps are stored; None where reconstructions are, which serve every score that reads them."""
    return score_entry(wildcards) if wildcards.stored in STORED_MAPS else None


def kinds_that_erase(wildcards):
    """Modules of every erasing and fill that Figure 3 shows."""
    shown = [m for m in METHODS.values() if m.is_paper and m.erase != "none"]
    yield from sorted({registry.ERASINGS.file(method.erase) for method in shown})
    yield from sorted({registry.FILLS.file(method.fill) for method in shown})


def kind_of_paper(wildcards):
    """Module of the paper's network."""
    kind = config["networks"][config["study"]["paper"]["network"]]["kind"]
    return [registry.NETWORKS.file(kind)]


def kinds_to_store(wildcards):
    """Modules of a model's network, and of the score whose maps are stored."""
    yield registry.NETWORKS.file(network_entry(wildcards)["kind"])
    if wildcards.stored in STORED_MAPS:
        yield from kind_of_score(wildcards)


def healthy_to_store(path):
    """Files of the healthy cohorts, which a score that reads the network may need."""
    return lambda wildcards: (
        expand(path, cohort=HEALTHY) if wildcards.stored in STORED_MAPS else []
    )


def kind_of_baseline(wildcards):
    """Module of a baseline."""
    return [registry.BASELINES.file(method_of(wildcards).baseline)]


def stored_of(method):
    """Where the score stage stores what the score maps of a method are made from."""
    with_score = f"{method.model}@{method.score}"
    return with_score if with_score in STORED_MAPS else method.model


def stored_scores(wildcards, split, cohort=None):
    """What the score maps of a method are made from, of one split."""
    run = f"fraction-{wildcards.percent}/seed-{wildcards.seed}"
    dataset = f"{cohort or wildcards.cohort}-{wildcards.sequence}"
    return f"results/score/{stored_of(METHODS[wildcards.method])}/{run}/{dataset}/{split}.npz"


def described(names):
    """Methods as plain values, for figures and tables."""
    return [asdict(METHODS[name]) for name in names]


def methods_of_paper():
    """The methods that the paper's claims are about, as plain values."""
    return described(name for name, method in METHODS.items() if method.is_paper)


# Texts of the report beside its figures and tables.
CAPTIONS = sorted(
    path.name for path in Path(workflow.basedir, "workflow/report").glob("*.rst")
)


def growing(amount):
    """Memory or minutes of a rule: as much again for each attempt, where a profile has retries."""
    return lambda wildcards, threads, attempt: attempt * (
        amount(wildcards, threads) if callable(amount) else amount
    )


def expected_subjects(cohorts):
    """At most how many subjects these cohorts have."""
    groups = {"healthy" if cohort in HEALTHY else cohort for cohort in cohorts}
    return resources.expected_subjects(
        [config["split"]["sizes"][group] for group in groups],
        batches=sum(len(batches_of(cohort)) for cohort in cohorts),
    )


def arrays_mb(*cohorts):
    """Memory of a job that reads the volumes of its cohort, and of these."""
    return lambda wildcards, threads: resources.arrays_mb(
        expected_subjects({*cohorts, *wildcards.get("cohort", "").split()}),
        config["preprocess"]["grid_voxels"],
    )


def stacking_mb(wildcards, threads):
    """Memory of a cohort that becomes one file."""
    return resources.stacking_mb(
        expected_subjects([wildcards.cohort]),
        config["preprocess"]["grid_voxels"],
        threads=threads,
    )


def synthesis_mb(wildcards, threads):
    """Memory of a cohort that is made as one file."""
    subjects = config["phantom"]["cohorts"][wildcards.cohort]["subjects"]
    grid_voxels = config["preprocess"]["grid_voxels"]
    return resources.arrays_mb(subjects, grid_voxels) + 600 * threads


def preparation_mb(wildcards, threads):
    """Memory of the workers that prepare a batch of subjects."""
    method = config["ingest"]["cohorts"][wildcards.cohort]["skull_strip"]
    worker_mb = preparation.NETWORKS.get(method, preparation.MEMORY_MB_PER_WORKER)
    return resources.preparation_mb(worker_mb=worker_mb, threads=threads)


def preparation_minutes(wildcards, threads):
    """Minutes of a batch of subjects."""
    source = config["ingest"]["cohorts"][wildcards.cohort]
    subjects = expected_subjects([wildcards.cohort]) / source["batches"]
    steps = [
        config["preprocess"][step] for step in ("register", "bias_field", "denoise")
    ]
    return resources.preparation_minutes(
        subjects * len(source["sequences"]),
        [source["skull_strip"], *steps],
        threads=threads,
    )


def network_of(wildcards):
    """What the needs of a job with a network depend on."""
    return {
        "grid_voxels": config["preprocess"]["grid_voxels"],
        "dims": method_of(wildcards).dims,
        "maps": network_entry(wildcards)["feature_maps"][0],
        "on_gpu": GPUS > 0,
    }


def training_mb(wildcards, threads):
    """Memory of a training on the host."""
    batch_size = config["train"]["optimisation"]["batch_size"]
    return resources.training_mb(
        expected_subjects(HEALTHY), batch_size=batch_size, **network_of(wildcards)
    )


def training_minutes(wildcards, threads):
    """Minutes of a training."""
    network, optimisation = network_of(wildcards), config["train"]["optimisation"]
    return resources.training_minutes(
        batch_size=optimisation["batch_size"],
        steps=optimisation["maximum_steps"]["{}d".format(network["dims"])],
        **network,
    )


def samples_at_a_time(wildcards):
    """What a network reconstructs at once: axial slices in 2-D, always one volume in 3-D."""
    dims = network_of(wildcards)["dims"]
    return config["score"]["batch_size"] if dims == 2 else 1


def reconstruction_mb(wildcards, threads):
    """Memory of a network that reconstructs."""
    return resources.training_mb(
        expected_subjects([wildcards.cohort]),
        batch_size=samples_at_a_time(wildcards),
        **network_of(wildcards),
    )


def batches_of(cohort):
    """Names of a cohort's preprocessing jobs; a subject's job follows from its name alone."""
    return [
        f"{batch:03d}"
        for batch in range(config["ingest"]["cohorts"][cohort]["batches"])
    ]


def needed_to_list(wildcards):
    """What is synthetic or downloaded must be there before it is listed; a table of scans is itself an input."""
    source = config["ingest"]["cohorts"][wildcards.cohort]
    if source["path"].startswith("results/phantom/"):
        return "results/phantom/{}.csv".format(source["path"].split("/")[2])
    if archive := download_of(source["path"]):
        # a checksum written down afterwards must not train anything again; another address does: see source_of
        return ancient(f"results/ingest/downloads/{archive}.json")
    if source["reader"] == "table":
        table = paths.expand_path(source["path"], base=Path.cwd())
        # relative where it can be: a run that is moved with its table has the same input as before
        return str(
            table.relative_to(Path.cwd()) if table.is_relative_to(Path.cwd()) else table
        )
    return []


def source_of(wildcards):
    """Changes when a data file of a cohort comes, goes or changes its size."""
    archive = download_of(config["ingest"]["cohorts"][wildcards.cohort]["path"])
    return (
        config["ingest"]["downloads"][archive]["url"]
        if archive
        else signature_of(wildcards.cohort)
    )


@functools.cache
def signature_of(cohort):
    """A hash of names and sizes; a file that only its time tells apart is a warning."""
    source = config["ingest"]["cohorts"][cohort]
    signature, warning = source_signature(
        source["reader"],
        source["path"],
        sequences=source["sequences"],
        listed=Path(f"results/ingest/{cohort}.csv"),
    )
    if warning and workflow.is_main_process:
        print(warning, file=sys.stderr)
    return signature


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


def threshold_source(cohort):
    """The cohort whose validation split finds a cohort's threshold: itself, unless the config names another."""
    return config["threshold"]["from_cohort"].get(cohort, cohort)


def threshold_of(folder, cohort):
    """The threshold that a run uses on T1 scans of a cohort."""
    return f"results/threshold/{folder}/{threshold_source(cohort)}-t1.json"


def evaluations(file):
    """This file of every run on every data set."""
    return [
        f"results/evaluate/{run.folder}/{dataset}/{file}"
        for run in RUNS
        for dataset in study.list_datasets(
            run, study=config["study"], cohorts=config["ingest"]["cohorts"]
        )
    ]


def diagnosed_runs():
    """The runs that diagnostics are about: study.models and a baseline, all data, the first seed."""
    seed = config["study"]["seeds"][0]
    names = (*config["study"]["models"], *config["study"]["baselines"][:1])
    return [study.Run(method, 100, seed) for method in names]


def diagnosed_on_t1():
    """Folder of each of these runs with each lesion cohort."""
    return [(run.folder, cohort) for run in diagnosed_runs() for cohort in LESION]


def diagnosed(file):
    """This file of all these runs."""
    return [
        f"results/evaluate/{run.folder}/{dataset}/{file}"
        for run in diagnosed_runs()
        for dataset in study.list_datasets(
            run, study=config["study"], cohorts=config["ingest"]["cohorts"]
        )
    ]


def thresholds_of_run(wildcards):
    """The threshold of every data set of a run that has validation subjects of its own."""
    run = study.Run(wildcards.method, int(wildcards.percent), int(wildcards.seed))
    borrowed = config["threshold"]["from_cohort"]
    return [
        f"results/threshold/{run.folder}/{dataset}.json"
        for dataset in study.list_datasets(
            run, study=config["study"], cohorts=config["ingest"]["cohorts"]
        )
        if dataset.rpartition("-")[0] not in borrowed
    ]


def trained_models():
    """The entries of models that the study trains, in their order."""
    return [name for name in TRAINED if name in models.trained_entries(config)]


def trained_runs(file):
    """This file of every network trained on all healthy subjects with the first seed."""
    seed = config["study"]["seeds"][0]
    return [
        f"results/train/{model}/fraction-100/seed-{seed}/{file}"
        for model in trained_models()
    ]


def example_files(stage, name, file):
    """A file of the method whose test subjects Figure 7 shows, on each lesion cohort."""
    run = f"fraction-100/seed-{config['study']['seeds'][0]}"
    return [f"results/{stage}/{name}/{run}/{cohort}-t1/{file}" for cohort in LESION]


def table_2():
    """Table 2 compares T1 with T1ce, where a lesion cohort has both."""
    has_contrast = any(
        "t1ce" in config["ingest"]["cohorts"][cohort]["sequences"] for cohort in LESION
    )
    return ["results/report/tables/table_2.md"] if has_contrast else []


def figure_5():
    """Figure 5 compares shares of the training data, where the study trains on several."""
    has_shares = len(config["study"]["fractions_percent"]) > 1
    return ["results/report/figures/figure_5.png"] if has_shares else []


def brains_that_set_the_grid(wildcards):
    """With padded_grid_voxels: auto, the largest brain of any cohort sets the grid of all."""
    if config["preprocess"]["padded_grid_voxels"] != "auto":
        return []
    return [
        f"results/preprocess/{cohort}/batch-{batch}.csv"
        for cohort in COHORTS
        for batch in batches_of(cohort)
    ]


def ways_to_standardise(cohort):
    """How each sequence of a cohort is standardised."""
    return {
        sequence: config["preprocess"]["standardise"][sequence]
        for sequence in config["ingest"]["cohorts"][cohort]["sequences"]
    }


def learned_landmarks(wildcards):
    """The learned standard scale, where a sequence of the cohort needs it."""
    is_learned = "landmarks" in ways_to_standardise(wildcards.cohort).values()
    return ["results/preprocess/landmarks.json"] if is_learned else []


def targets_of_standard(wildcards):
    """Where the config brings each sequence of the cohort; the targets of other ways must rerun nothing."""
    return {
        sequence: config["preprocess"]["standard"][way][sequence]
        for sequence, way in ways_to_standardise(wildcards.cohort).items()
        if way not in ("range", "landmarks")
    }


def sequences_of_study():
    """Every sequence of any cohort of the study."""
    return sorted(
        {
            sequence
            for cohort in COHORTS
            for sequence in config["ingest"]["cohorts"][cohort]["sequences"]
        }
    )


def sequences_of_all(cohorts):
    """The sequences that each of these cohorts has, T1 first."""
    return sorted(
        set.intersection(
            *(
                set(config["ingest"]["cohorts"][cohort]["sequences"])
                for cohort in cohorts
            )
        )
    )


def begin_run():
    """Keep other runs out of this folder, and refuse jobs that would destroy what they cannot make again."""
    planned = {}
    for job in workflow.dag.needrun_jobs():
        planned.setdefault(job.rule.name, []).append(dict(job.wildcards.items()))
    try:
        run_lock.hold_folder(Path.cwd())
        preflight.require_material(
            planned,
            sources=config["ingest"]["cohorts"],
            settings=PREPARATION,
            exclude=excluded_subjects(),
            healthy=HEALTHY,
            root=Path.cwd(),
        )
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def closing_words():
    """What to open when a run has ended well."""
    targets = set(workflow.dag_settings.targets)
    if targets and not targets & {"all", "report.html"}:
        return "Done."
    return (
        f"Done. Open {Path.cwd()}/report.html, or read Table 1 in "
        "results/report/tables/table_1.md there."
    )


# What results/evaluate/ is enough for: tables_and_figures.smk makes it from that folder alone.
TABLES_AND_FIGURES = [
    "results/report/tables/table_1.md",
    "results/report/tables/claims.md",
    "results/report/figures/figure_2.png",
    "results/report/figures/figure_3.png",
    "results/report/figures/figure_4.png",
    *figure_5(),
    "results/report/figures/figure_6.png",
    "results/report/figures/figure_7.png",
    "results/report/figures/history.png",
    *(
        "results/report/figures/curves/{}.png".format(path.split("/")[2])
        for path in trained_runs("history.csv")
    ),
    "results/report/tables/diagnostics.md",
    "results/report/figures/diagnostics.png",
    "results/report/front.html",
    "results/report/viewer.html",
    *table_2(),
]

RESULTS = [
    "results/ingest/scans.csv",
    "results/split/splits.csv",
    "results/evaluate/subjects.csv",
    *TABLES_AND_FIGURES,
    *(
        f"results/preprocess/{cohort}/quality.{suffix}"
        for cohort in COHORTS
        for suffix in ("html", "pdf")
    ),
]
