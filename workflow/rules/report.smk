"""Stage report: the paper's tables and figures, from results/evaluate/ alone.

reads   results/evaluate/
writes  results/report/, results/ro-crate-metadata.json, checksums.sha256, config.yaml, report.html
"""

STUDY, INTERVALS = config["study"], config["evaluate"]["intervals"]
TABLE_1 = {
    # a function, so that another title redraws no table
    "title": lambda wildcards: STUDY["title"],
    "methods": methods.described(methods.rows_of_table_1),
    "cohorts": plan.paper_cohorts(),
    "sequence": plan.sequence,
    "grid_voxels": config["preprocess"]["grid_voxels"],
}
SEQUENCES_OF_TABLE_2 = plan.sequences_of_table_2()
TABLE_FILES = ("table.html", "table.md", "table.tex")
CLAIMS_LABEL = "claims of the paper on this run"
CURVES_LABEL = "learning curves of {model}"
PROVENANCE_LABEL = "inputs, code, packages, config, time and memory"
DIAGNOSTICS = ("diagnostics.html", "diagnostics.md", "diagnostics_texts.txt")
# captions are filled in when the report is written
CAPTIONS = sorted(path.name for path in (ROOT / "workflow/report").glob("*.rst"))


# Shared by the rules of this stage. Each sets its name in `pathvars`, for its log and its benchmark.
rule of_report:
    log:
        "results/logs/<rule>.log",
    benchmark:
        "results/benchmarks/<rule>.tsv"
    pathvars:
        rule="of_report",
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        **named("of_report"),
    script:
        "../scripts/{params.rule}.py"


use rule of_report as of_tables with:
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),


use rule of_tables as write_table_1 with:
    """Table 1: every model on every lesion cohort, with the paper's numbers, baselines last."""
    input:
        **plan.evaluated("metrics.csv", "intervals.csv"),
    output:
        **table("table_1", table="1: segmentation of every model"),
    pathvars:
        rule="write_table_1",
    params:
        **TABLE_1,
        **named("write_table_1", *TABLE_FILES, "table_caption.txt"),
        borrowed=config["threshold"]["from_cohort"],


use rule write_table_1 as write_rivals with:
    """Every method of Table 1 with more metrics, and its paired differences from some."""
    input:
        **plan.evaluated("metrics.csv", "resamples.npz"),
        detections=plan.detections(),
    output:
        **table("rivals", table="rivals: more metrics and paired differences"),
    pathvars:
        rule="write_rivals",
    params:
        **named("write_rivals", *TABLE_FILES, "rivals_notes.txt"),
        references=config["report"]["rivals"],
        cohorts=LESION,
        intervals=INTERVALS,
        samples=config["evaluate"]["bootstrap_samples"],
        connectivity=config["evaluate"]["diagnostics"]["connectivity"],


use rule of_report as plot_rivals with:
    """AUPRC of every method of Table 1 on each test set and on all of them."""
    input:
        "results/report/tables/rivals.csv",
    output:
        **figure("rivals", figure="rivals: AUPRC of every method"),
    pathvars:
        rule="plot_rivals",
    params:
        **named("plot_rivals"),
        methods=TABLE_1["methods"],
        seeds=STUDY["seeds"],
        confidence_percent=INTERVALS["confidence_percent"],


use rule write_table_1 as write_table_2 with:
    """Table 2: models trained on one sequence, tested on several."""
    output:
        **table("table_2", table=f"2: {' and '.join(SEQUENCES_OF_TABLE_2.values())}"),
    pathvars:
        rule="write_table_2",
    params:
        **named("write_table_2", *TABLE_FILES, "table_caption.txt"),
        methods=methods.described(STUDY["table_2_models"]),
        cohorts=plan.cohorts_of_table_2(),
        sequences=SEQUENCES_OF_TABLE_2,


use rule of_tables as write_claims with:
    """The paper's claims with the verdicts of this run."""
    input:
        **plan.evaluated("claims.csv", "comparisons.csv"),
    output:
        **table("claims", "Claims", also=("csv", "md"), what=CLAIMS_LABEL),
    pathvars:
        rule="write_claims",
    params:
        **named("write_claims", "claims.html", "claims.md", "claims_notes.txt"),
        title=lambda wildcards: STUDY["title"],
        methods=methods.of_paper(),
        paper_cohorts=plan.paper_cohorts(),
        samples=config["evaluate"]["bootstrap_samples"],
        intervals=INTERVALS,
        size_percentiles=config["evaluate"]["lesion_size_percentiles"],


use rule of_report as plot_figure_2 with:
    """Figure 2: the network of this study in 2-D and 3-D, drawn from the network itself."""
    output:
        **figure("figure_2", figure="2: network"),
    pathvars:
        rule="plot_figure_2",
    params:
        **named("plot_figure_2", kinds=methods.kinds_of_paper),
        grid_voxels=config["preprocess"]["grid_voxels"],
        network=methods.paper_network(),


use rule of_report as plot_figure_3 with:
    """Figure 3: the regions that each erasing strategy hides from the network."""
    input:
        **plan.evaluated("healthy_example.npz", "voxel_sizes_mm.json"),
    output:
        **figure("figure_3", figure="3: erasing strategies"),
    pathvars:
        rule="plot_figure_3",
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    params:
        **named("plot_figure_3", kinds=methods.kinds_that_erase),
        cohort=HEALTHY[0],
        erasing=config["train"]["erasing"],
        seed=STUDY["seeds"][0],
        methods=methods.described(method.name for method in methods.that_erase()),


use rule of_report as plot_figure_4 with:
    """Figure 4: subject-wise Dice over lesion size, with and without erasing, in 2-D and 3-D."""
    input:
        **plan.evaluated("subjects.csv", "voxel_sizes_mm.json"),
    output:
        **figure("figure_4", figure="4: lesion size"),
    pathvars:
        rule="plot_figure_4",
    params:
        **named("plot_figure_4"),
        sequence=plan.sequence,
        methods=methods.described(STUDY["models"]),
        grid_voxels=config["preprocess"]["grid_voxels"],
        seeds=STUDY["seeds"],


use rule plot_figure_4 as plot_figure_5 with:
    """Figure 5: AUPRC over the fraction of training data."""
    input:
        **plan.evaluated("intervals.csv", "cohort_subjects.csv"),
    output:
        **figure("figure_5", figure="5: number of training subjects"),
    pathvars:
        rule="plot_figure_5",
    params:
        **named("plot_figure_5"),
        cohorts=LESION,
        percents=STUDY["fractions_percent"],
        confidence_percent=INTERVALS["confidence_percent"],


use rule plot_figure_4 as plot_figure_6 with:
    """Figure 6: slice-wise detection of lesions, pooled over all test sets."""
    input:
        **plan.evaluated("intervals.csv"),
        # of any run, since all have the same slices with a lesion
        slices=plan.on_trained_sequence("slices.npz", plan.diagnosed_runs[:1]),
    output:
        **figure("figure_6", figure="6: slice-wise detection"),
    pathvars:
        rule="plot_figure_6",
    params:
        **named("plot_figure_6"),
        methods=methods.described([*STUDY["models"], *STUDY["baselines"]]),
        paper_cohorts=list(plan.paper_cohorts().values()),
        cohorts=LESION,
        confidence_percent=INTERVALS["confidence_percent"],


use rule of_report as plot_figure_7 with:
    """Figure 7: input, output, difference, heat map and truth of test subjects at fixed percentiles."""
    input:
        **plan.evaluated("examples.npz", "voxel_sizes_mm.json"),
    output:
        **figure("figure_7", figure="7: examples"),
    pathvars:
        rule="plot_figure_7",
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    params:
        **named("plot_figure_7"),
        model=methods.example.name,
        cohort=LESION[0],
        percentiles=config["report"]["example_percentiles"],


use rule of_report as plot_history with:
    """Learning curves: training and validation loss of every model trained on all subjects."""
    input:
        "results/evaluate/histories.csv",
    output:
        **figure("history", "Training", what="learning curves of every model"),
    pathvars:
        rule="plot_history",
    params:
        **named("plot_history"),
        methods=methods.described(methods.trained),


use rule plot_history as plot_curves with:
    """Learning curves of one model: loss, KL, active units, seconds per epoch."""
    output:
        page("figures/curves/{model}.png", "Training", "curves", what=CURVES_LABEL),
    pathvars:
        rule="plot_curves/{model}",
    params:
        **named("plot_curves"),
        title=lambda wildcards: methods.of(wildcards).title,


use rule of_report as write_diagnostics with:
    """Diagnostics in tables: thresholds, post-processing and single lesions."""
    input:
        **plan.evaluated("diagnostics.csv", "components.csv", "cohort_subjects.csv"),
    output:
        md="results/report/tables/diagnostics.md",
        html=page("tables/diagnostics.html", "Diagnostics", what="tables"),
        csv="results/report/tables/detection.csv",
    pathvars:
        rule="write_diagnostics",
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        **named("write_diagnostics", *DIAGNOSTICS),
        methods=methods.described(run.method for run in plan.diagnosed_runs),
        cohorts=LESION,
        protocol=methods.post_processing,
        components=config["evaluate"]["diagnostics"],
        size_percentiles=config["evaluate"]["lesion_size_percentiles"],


use rule of_report as plot_diagnostics with:
    """Dice over every threshold, precision over recall, post-processing and detected lesions."""
    input:
        **plan.evaluated("diagnostics.csv", "metrics.csv", "thresholds.json"),
        detection="results/report/tables/detection.csv",
        curves=plan.on_trained_sequence("precision_recall.npz", plan.diagnosed_runs),
    output:
        **figure("diagnostics", "Diagnostics", what="curves, post-processing, lesions"),
    pathvars:
        rule="plot_diagnostics",
    params:
        **named("plot_diagnostics"),
        sequence=plan.sequence,
        methods=methods.described(run.method for run in plan.diagnosed_runs),
        model_and_cohort=plan.diagnosed_methods,


use rule plot_figure_7 as write_viewer with:
    """The examples of Figure 7 in three planes, with a threshold slider."""
    output:
        page("viewer.html", "Viewer", what="test subjects, with a threshold slider"),
    pathvars:
        rule="write_viewer",
    params:
        **named("write_viewer", "viewer.html"),
        title=methods.example.title,


use rule of_tables as write_front_page with:
    """The first page of the report: the study, its data and its results."""
    input:
        **plan.evaluated("metrics.csv", "intervals.csv", "cohort_subjects.csv"),
        **plan.evaluated("claims.csv", "comparisons.csv"),
        figure=[*plan.figure_5(), "results/report/figures/figure_4.png"][0],
    output:
        page("front.html", "Overview", what="the study and its results"),
    pathvars:
        rule="write_front_page",
    params:
        **TABLE_1,
        **named("write_front_page", "front.html"),
        title_of_sequence=config["sequences"][plan.sequence],
        paper_methods=methods.of_paper(),


use rule of_report as record_provenance with:
    """Inputs, code and packages of every result, and its time and memory."""
    input:
        plan.results(),
    output:
        crate="results/ro-crate-metadata.json",
        checksums="results/checksums.sha256",
        config="results/config.yaml",
        costs="results/report/tables/costs.md",
        page=page("provenance.html", "Provenance and cost", what=PROVENANCE_LABEL),
    pathvars:
        rule="record_provenance",
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        **named("record_provenance", "provenance.html", "costs.md"),
        config=config,


use rule record_provenance as write_report with:
    """Put every table and figure into one page that opens offline."""
    input:
        plan.results(),
        "results/report/provenance.html",
    output:
        "report.html",
    pathvars:
        rule="write_report",
    params:
        **named("write_report", "reporter.js", "reporter.css", *CAPTIONS),
