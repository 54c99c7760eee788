"""The tables and figures of a study from its results/evaluate/ alone, without data, GPU or other stages.

snakemake --cores 2 --snakefile tables_and_figures.smk
"""


include: "workflow/rules/internals.smk"
include: "workflow/rules/config_files.smk"


configfile: workflow.source_path("config.yaml")


include: "workflow/rules/common.smk"
include: "workflow/rules/report.smk"


rule tables_and_figures:
    default_target: True
    input:
        plan.tables_and_figures(),


onstart:
    begin_run()
