"""What the rules need of Snakemake and no public name gives: one place to look after an update of Snakemake."""

import snakemake.jobs

from spatial_erasing.jobs.parallel import memory_limit_mb

# When a script was last written says nothing: a fresh clone, `git checkout` and `cp -r` set it anew. `code_fingerprint`
# says what has changed. The profiles have `rerun-triggers` for it; this holds for commands that read no profile, and
# Snakemake has no directive for it.
snakemake.jobs.get_script_mtime = lambda script: 0.0

# A job that a cluster or Snakemake itself starts reads the Snakefile again, in which everything was checked before.
IS_MAIN = workflow.is_main_process


def overlays():
    """The files given with --configfile."""
    return workflow.overwrite_configfiles


def has_environments():
    """Whether each job brings its own packages (--sdm conda)."""
    return bool(workflow.deployment_settings.deployment_method)


def limit_memory():
    """Let no more jobs start at once than the memory of this machine allows; the command line comes first.

    A limit in a profile is lost with `--resources gpu=1`, and then all jobs that fit the cores start. Jobs that a
    cluster starts elsewhere (its executors have `nodes`) are not bound by the memory of this machine.
    """
    is_given = {"mem", "mem_mb", "mem_mib"} & set(workflow.global_resources)
    if not is_given and workflow.resource_settings.nodes is None:
        if limit_mb := memory_limit_mb():
            workflow.register_resource("mem_mb", limit_mb)


def planned_jobs():
    """Rule to the wildcards of each of its jobs that this run will start; known once a run begins."""
    planned = {}
    for job in workflow.dag.needrun_jobs():
        planned.setdefault(job.rule.name, []).append(dict(job.wildcards.items()))
    return planned


def targets_of_command():
    """The targets that were typed; none for the whole study."""
    return set(workflow.dag_settings.targets)
