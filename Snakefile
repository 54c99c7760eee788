from snakemake.utils import min_version

min_version("9.25")


include: "workflow/rules/internals.smk"
include: "workflow/rules/config_files.smk"


configfile: workflow.source_path("config.yaml")


report: "workflow/report/workflow.rst"


resource_scopes:
    gpu="local",


include: "workflow/rules/common.smk"
include: "workflow/rules/phantom.smk"
include: "workflow/rules/ingest.smk"
include: "workflow/rules/preprocess.smk"
include: "workflow/rules/split.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/threshold.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/apply.smk"


# jobs that end sooner than a cluster job would start
localrules:
    all,
    results,
    ingest,
    fetch_archive,
    collect_scans,
    preprocess,
    assign_splits,
    collect_splits,
    collect_metrics,
    collect_diagnostics,
    collect_histories,
    judge_claims,
    write_table_1,
    write_table_2,
    write_claims,
    write_diagnostics,
    write_front_page,
    record_provenance,
    write_report,


rule all:
    default_target: True
    input:
        "report.html",


rule results:
    """Every table and figure, before they are put into one report."""
    input:
        plan.results(),
        "results/report/provenance.html",


onstart:
    begin_run()


onsuccess:
    print(closing_words())


onerror:
    print(
        "Failed. The logs of the failed jobs are printed above and are in results/logs/. Finished work is"
    )
    print("kept: fix the cause and run the same command again.")
