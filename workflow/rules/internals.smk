"""Uses of Snakemake's private interface, in one place: check them after an update of Snakemake."""

import snakemake.jobs

from spatial_erasing.jobs.parallel import memory_limit_mb

# The modification time of a script is meaningless: a fresh clone, `git checkout` and `cp -r` change it. `code_fingerprint`
# detects changes. The profiles set `rerun-triggers`; this covers commands without a profile, since Snakemake has no
# directive for it.
snakemake.jobs.get_script_mtime = lambda script: 0.0

# A job started by a cluster or by Snakemake reads the Snakefile again; the main process has done all checks by then.
IS_MAIN = workflow.is_main_process


def overlays():
    """The files given with --configfile."""
    return workflow.overwrite_configfiles


def has_environments():
    """Whether each job brings its own packages (--sdm conda)."""
    return bool(workflow.deployment_settings.deployment_method)


def limit_memory():
    """Limit jobs that run at once by the memory of this machine; a limit on the command line has priority.

    A limit in a profile is lost with `--resources gpu=1`, and then all jobs that fit the cores start. Jobs that a
    cluster runs on other machines (its executors have `nodes`) are not limited by the memory of this machine.
    """
    is_given = {"mem", "mem_mb", "mem_mib"} & set(workflow.global_resources)
    if not is_given and workflow.resource_settings.nodes is None:
        if limit_mb := memory_limit_mb():
            workflow.register_resource("mem_mb", limit_mb)


def planned_jobs():
    """Rule to the wildcards of each of its jobs in this run; known from the start of the run."""
    planned = {}
    for job in workflow.dag.needrun_jobs():
        planned.setdefault(job.rule.name, []).append(dict(job.wildcards.items()))
    return planned


def targets_of_command():
    """The targets on the command line; empty for the whole study."""
    return set(workflow.dag_settings.targets)
