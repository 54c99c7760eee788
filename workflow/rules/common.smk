"""Shared by all rules: the checked config, the plan of the study, and fingerprints of the code."""

import re
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

from spatial_erasing import models, paths, preflight, study
from spatial_erasing.jobs import locks, packages, parallel
from spatial_erasing.needs import Needs, growing
from spatial_erasing.plan import Plan
from spatial_erasing.jobs.provenance import ROOT, rule_fingerprint

paths.anchor_data_folder()
parallel.lead_jobs()


def warn(message):
    """Print a warning to standard error, once per run."""
    if IS_MAIN:
        print(message, file=sys.stderr)


try:
    schema = (ROOT / "workflow/schemas/config.schema.yaml").read_text()
    study.check_schema(config, yaml.safe_load(schema))
    study.check_study(config)
    plan = Plan(config, root=Path.cwd(), warn=warn)
    # jobs of a cluster may not see the raw data, and the linter needs none
    if IS_MAIN and "--lint" not in sys.argv:
        locks.require_writable(Path.cwd())
        study.check_paths(config, root=Path.cwd())
        if not has_environments():
            packages.require_packages(config, root=Path.cwd())
        plan.excluded  # read now, so that a wrong table is refused before the first job
except ValueError as error:
    raise WorkflowError(str(error)) from None

if IS_MAIN:
    limit_memory()

needs, methods = Needs(plan), plan.methods
HEALTHY, LESION, COHORTS = plan.healthy, plan.lesion, plan.cohorts


def one_of(names):
    """A wildcard pattern for one of these names; if empty, a pattern without a match."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    cohort=one_of(COHORTS),
    group=one_of(["healthy", *LESION]),
    model=one_of(methods.networks),
    method=one_of(methods.by_name),
    stored=one_of([*methods.networks, *methods.with_maps]),
    baseline=one_of(methods.baselines),
    archive="[a-z][a-z0-9_]*",
    batch=r"\d{3}",
    percent=r"\d+",
    seed=r"\d+",
    sequence=one_of(plan.sequences()),
    split="validation|test",
    subject=r"[^/]+",


def code_fingerprint(script, *texts, kinds=lambda wildcards: ()):
    """The fingerprint of a script's code, computed only when a job needs it, so that no job reads the code of all others."""
    return lambda wildcards: rule_fingerprint(
        script, *texts, kinds=tuple(kinds(wildcards))
    )


def named(rule, *texts, **kinds):
    """Params that select the script of a rule and rerun it if its code or one of these texts changes."""
    return {"rule": rule, "code": code_fingerprint(rule, *texts, **kinds)}


def page(path, category, caption=None, **labels):
    """A file of this stage for report.html, with the caption of the same name."""
    text = f"../report/{caption or Path(path).stem}.rst"
    path = f"results/report/{path}"
    return report(path, caption=text, category=category, labels=labels)


def table(name, category="Tables", *, also=("csv", "md", "tex"), **labels):
    """A table as HTML for report.html and in other formats."""
    files = {suffix: f"results/report/tables/{name}.{suffix}" for suffix in also}
    return files | {"html": page(f"tables/{name}.html", category, **labels)}


def figure(name, category="Figures", **labels):
    """A figure as PNG for report.html and as PDF for papers."""
    png = page(f"figures/{name}.png", category, **labels)
    return {"png": png, "pdf": f"results/report/figures/{name}.pdf"}


def source_of(wildcards):
    """The settings of ingest.cohorts for a cohort."""
    return plan.sources[wildcards.cohort]


def split_file(wildcards):
    """The table that assigns the subjects of a cohort to splits."""
    cohort = wildcards.cohort
    return f"results/split/{'healthy' if cohort in HEALTHY else cohort}.csv"


def needed_to_list(wildcards):
    """Inputs of a cohort's list: its synthetic or downloaded data, or its table of scans."""
    # a checksum added later must not retrain anything; another address does: see Plan.signature
    if download := plan.download_of_cohort(wildcards.cohort):
        return ancient(download)
    return plan.made_before_listed(wildcards.cohort)


def planted_source(wildcards):
    """The table of healthy real scans, some of which receive a lesion."""
    try:
        return plan.planted_source()
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def run_of(wildcards):
    """The run that a job belongs to."""
    return models.Run(wildcards.method, int(wildcards.percent), int(wildcards.seed))


def begin_run():
    """Lock this folder against other runs, and refuse jobs that would delete results they cannot make again."""
    try:
        locks.hold_folder(Path.cwd())
        preflight.require_material(planned_jobs(), plan)
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def closing_words():
    """The message after a successful run: the file to open."""
    targets = targets_of_command()
    if targets and not targets & {"all", "study", "report.html"}:
        return "Done."
    return (
        f"Done. Open {Path.cwd()}/report.html, or read Table 1 in "
        "results/report/tables/table_1.md there."
    )
