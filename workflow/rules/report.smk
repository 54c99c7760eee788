"""Stage report: the paper's tables and figures, drawn from results/evaluate/ and nothing else.

reads   results/evaluate/
writes  results/report/tables/table_{1,2}.{csv,md,html,tex}, claims.{csv,md,html}
        results/report/figures/figure_{2,3,4,5,6,7}.{png,pdf}, history.{png,pdf}
        results/report/tables/diagnostics.{md,html}, detection.csv, figures/diagnostics.{png,pdf}
        results/report/front.html, viewer.html, provenance.html
        results/ro-crate-metadata.json, checksums.sha256, config.yaml
        report.html   all of it in one file
"""

# a caption is filled in when the report is written
CAPTIONS = sorted(
    path.name for path in Path(workflow.basedir, "workflow/report").glob("*.rst")
)


rule write_table_1:
    """Table 1: every model on every lesion cohort, the paper's numbers beside ours, baselines below."""
    input:
        metrics="results/evaluate/metrics.csv",
        intervals="results/evaluate/intervals.csv",
    output:
        csv="results/report/tables/table_1.csv",
        md="results/report/tables/table_1.md",
        html=report(
            "results/report/tables/table_1.html",
            caption="../report/table_1.rst",
            category="Tables",
            labels={"table": "1: segmentation of every model"},
        ),
        tex="results/report/tables/table_1.tex",
    log:
        "results/logs/write_table_1.log",
    benchmark:
        "results/benchmarks/write_table_1.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        title=lambda wildcards: config["study"]["title"],
        methods=described(
            [*config["study"]["table_1_models"], *config["study"]["baselines"]]
        ),
        cohorts={
            cohort: config["report"]["paper_cohorts"].get(cohort) for cohort in LESION
        },
        grid_voxels=config["preprocess"]["grid_voxels"],
        borrowed=config["threshold"]["from_cohort"],
        code=code_fingerprint("write_table_1"),
    script:
        "../scripts/write_table_1.py"


rule write_table_2:
    """Table 2: two models trained on T1, tested on T1 and T1ce."""
    input:
        metrics="results/evaluate/metrics.csv",
        intervals="results/evaluate/intervals.csv",
    output:
        csv="results/report/tables/table_2.csv",
        md="results/report/tables/table_2.md",
        html=report(
            "results/report/tables/table_2.html",
            caption="../report/table_2.rst",
            category="Tables",
            labels={"table": "2: T1 and T1ce"},
        ),
        tex="results/report/tables/table_2.tex",
    log:
        "results/logs/write_table_2.log",
    benchmark:
        "results/benchmarks/write_table_2.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        title=lambda wildcards: config["study"]["title"],
        methods=described(config["study"]["table_2_models"]),
        cohorts={
            cohort: config["report"]["paper_cohorts"].get(cohort)
            for cohort in LESION
            if "t1ce" in config["ingest"]["cohorts"][cohort]["sequences"]
        },
        grid_voxels=config["preprocess"]["grid_voxels"],
        borrowed=config["threshold"]["from_cohort"],
        code=code_fingerprint("write_table_2"),
    script:
        "../scripts/write_table_2.py"


rule write_claims:
    """What the paper concludes, beside what this run says about it."""
    input:
        claims="results/evaluate/claims.csv",
        comparisons="results/evaluate/comparisons.csv",
    output:
        csv="results/report/tables/claims.csv",
        md="results/report/tables/claims.md",
        html=report(
            "results/report/tables/claims.html",
            caption="../report/claims.rst",
            category="Claims",
            labels={"what": "claims of the paper on this run"},
        ),
    log:
        "results/logs/write_claims.log",
    benchmark:
        "results/benchmarks/write_claims.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        title=lambda wildcards: config["study"]["title"],
        methods=methods_of_paper(),
        paper_cohorts=config["report"]["paper_cohorts"],
        samples=config["evaluate"]["bootstrap_samples"],
        intervals=config["evaluate"]["intervals"],
        size_percentiles=config["evaluate"]["lesion_size_percentiles"],
        code=code_fingerprint("write_claims"),
    script:
        "../scripts/write_claims.py"


rule plot_figure_2:
    """Figure 2: the network of this study in 2-D and 3-D, drawn from the network itself."""
    output:
        png=report(
            "results/report/figures/figure_2.png",
            caption="../report/figure_2.rst",
            category="Figures",
            labels={"figure": "2: network"},
        ),
        pdf="results/report/figures/figure_2.pdf",
    log:
        "results/logs/plot_figure_2.log",
    benchmark:
        "results/benchmarks/plot_figure_2.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        grid_voxels=config["preprocess"]["grid_voxels"],
        network=config["networks"][config["study"]["paper"]["network"]],
        code=code_fingerprint("plot_figure_2", kinds=kind_of_paper),
    script:
        "../scripts/plot_figure_2.py"


rule plot_figure_3:
    """Figure 3: what each erasing strategy hides from the network."""
    input:
        example="results/evaluate/healthy_example.npz",
        voxel_sizes="results/evaluate/voxel_sizes_mm.json",
    output:
        png=report(
            "results/report/figures/figure_3.png",
            caption="../report/figure_3.rst",
            category="Figures",
            labels={"figure": "3: erasing strategies"},
        ),
        pdf="results/report/figures/figure_3.pdf",
    log:
        "results/logs/plot_figure_3.log",
    benchmark:
        "results/benchmarks/plot_figure_3.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    params:
        cohort=HEALTHY[0],
        erasing=config["train"]["erasing"],
        seed=config["study"]["seeds"][0],
        methods=methods_of_paper(),
        code=code_fingerprint("plot_figure_3", kinds=kinds_that_erase),
    script:
        "../scripts/plot_figure_3.py"


rule plot_figure_4:
    """Figure 4: subject-wise Dice over lesion size, with and without erasing, in 2-D and 3-D."""
    input:
        subjects="results/evaluate/subjects.csv",
        voxel_sizes="results/evaluate/voxel_sizes_mm.json",
    output:
        png=report(
            "results/report/figures/figure_4.png",
            caption="../report/figure_4.rst",
            category="Figures",
            labels={"figure": "4: lesion size"},
        ),
        pdf="results/report/figures/figure_4.pdf",
    log:
        "results/logs/plot_figure_4.log",
    benchmark:
        "results/benchmarks/plot_figure_4.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        methods=described(config["study"]["models"]),
        grid_voxels=config["preprocess"]["grid_voxels"],
        seeds=config["study"]["seeds"],
        code=code_fingerprint("plot_figure_4"),
    script:
        "../scripts/plot_figure_4.py"


rule plot_figure_5:
    """Figure 5: AUPRC over the share of training data."""
    input:
        metrics="results/evaluate/metrics.csv",
        intervals="results/evaluate/intervals.csv",
        cohort_subjects="results/evaluate/cohort_subjects.csv",
    output:
        png=report(
            "results/report/figures/figure_5.png",
            caption="../report/figure_5.rst",
            category="Figures",
            labels={"figure": "5: number of training subjects"},
        ),
        pdf="results/report/figures/figure_5.pdf",
    log:
        "results/logs/plot_figure_5.log",
    benchmark:
        "results/benchmarks/plot_figure_5.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        methods=described(config["study"]["models"]),
        cohorts=LESION,
        percents=config["study"]["fractions_percent"],
        grid_voxels=config["preprocess"]["grid_voxels"],
        seeds=config["study"]["seeds"],
        confidence_percent=config["evaluate"]["intervals"]["confidence_percent"],
        code=code_fingerprint("plot_figure_5"),
    script:
        "../scripts/plot_figure_5.py"


rule plot_figure_6:
    """Figure 6: which axial slices hold a lesion, on all test sets together."""
    input:
        intervals="results/evaluate/intervals.csv",
        slices=expand(
            "results/evaluate/{model}/fraction-100/seed-{seed}/{cohort}-t1/slices.npz",
            model=[*config["study"]["models"], *config["study"]["baselines"]],
            seed=config["study"]["seeds"],
            cohort=LESION,
        ),
    output:
        png=report(
            "results/report/figures/figure_6.png",
            caption="../report/figure_6.rst",
            category="Figures",
            labels={"figure": "6: slice-wise detection"},
        ),
        pdf="results/report/figures/figure_6.pdf",
    log:
        "results/logs/plot_figure_6.log",
    benchmark:
        "results/benchmarks/plot_figure_6.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        methods=described([*config["study"]["models"], *config["study"]["baselines"]]),
        paper_cohorts=[
            config["report"]["paper_cohorts"].get(cohort) for cohort in LESION
        ],
        grid_voxels=config["preprocess"]["grid_voxels"],
        cohorts=LESION,
        seeds=config["study"]["seeds"],
        confidence_percent=config["evaluate"]["intervals"]["confidence_percent"],
        code=code_fingerprint("plot_figure_6"),
    script:
        "../scripts/plot_figure_6.py"


rule plot_figure_7:
    """Figure 7: input, output, difference, heat map and truth of test subjects at fixed percentiles."""
    input:
        examples="results/evaluate/examples.npz",
        voxel_sizes="results/evaluate/voxel_sizes_mm.json",
    output:
        png=report(
            "results/report/figures/figure_7.png",
            caption="../report/figure_7.rst",
            category="Figures",
            labels={"figure": "7: examples"},
        ),
        pdf="results/report/figures/figure_7.pdf",
    log:
        "results/logs/plot_figure_7.log",
    benchmark:
        "results/benchmarks/plot_figure_7.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    params:
        cohort=LESION[0],
        percentiles=config["report"]["example_percentiles"],
        model=config["study"]["example_model"],
        code=code_fingerprint("plot_figure_7"),
    script:
        "../scripts/plot_figure_7.py"


rule plot_history:
    """Learning curves: training and validation loss of every model that was trained on all subjects."""
    input:
        "results/evaluate/histories.csv",
    output:
        png=report(
            "results/report/figures/history.png",
            caption="../report/history.rst",
            category="Training",
            labels={"what": "learning curves of every model"},
        ),
        pdf="results/report/figures/history.pdf",
    log:
        "results/logs/plot_history.log",
    benchmark:
        "results/benchmarks/plot_history.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        methods=described(trained_models()),
        code=code_fingerprint("plot_history"),
    script:
        "../scripts/plot_history.py"


rule plot_curves:
    """Learning curves of one model: loss, KL, active units, seconds an epoch."""
    input:
        "results/evaluate/histories.csv",
    output:
        report(
            "results/report/figures/curves/{model}.png",
            caption="../report/curves.rst",
            category="Training",
            labels={"what": "learning curves of {model}"},
        ),
    log:
        "results/logs/plot_curves/{model}.log",
    benchmark:
        "results/benchmarks/plot_curves/{model}.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        title=lambda wildcards: method_of(wildcards).title,
        code=code_fingerprint("plot_curves"),
    script:
        "../scripts/plot_curves.py"


rule write_diagnostics:
    """Thresholds, post-processing and single lesions beside the protocol, in tables."""
    input:
        diagnostics="results/evaluate/diagnostics.csv",
        components="results/evaluate/components.csv",
        cohort_subjects="results/evaluate/cohort_subjects.csv",
    output:
        csv="results/report/tables/detection.csv",
        md="results/report/tables/diagnostics.md",
        html=report(
            "results/report/tables/diagnostics.html",
            caption="../report/diagnostics.rst",
            category="Diagnostics",
            labels={"what": "tables"},
        ),
    log:
        "results/logs/write_diagnostics.log",
    benchmark:
        "results/benchmarks/write_diagnostics.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        methods=described(run.method for run in diagnosed_runs()),
        cohorts=LESION,
        protocol=POST_PROCESSING,
        components=config["evaluate"]["diagnostics"],
        size_percentiles=config["evaluate"]["lesion_size_percentiles"],
        code=code_fingerprint("write_diagnostics", "diagnostics.html"),
    script:
        "../scripts/write_diagnostics.py"


rule plot_diagnostics:
    """Dice over every threshold, precision over recall, post-processing and detected lesions."""
    input:
        diagnostics="results/evaluate/diagnostics.csv",
        detection="results/report/tables/detection.csv",
        metrics="results/evaluate/metrics.csv",
        thresholds="results/evaluate/thresholds.json",
        curves=[
            f"results/evaluate/{folder}/{cohort}-t1/precision_recall.npz"
            for folder, cohort in diagnosed_on_t1()
        ],
    output:
        png=report(
            "results/report/figures/diagnostics.png",
            caption="../report/diagnostics.rst",
            category="Diagnostics",
            labels={"what": "curves, post-processing, lesions"},
        ),
        pdf="results/report/figures/diagnostics.pdf",
    log:
        "results/logs/plot_diagnostics.log",
    benchmark:
        "results/benchmarks/plot_diagnostics.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        methods=described(run.method for run in diagnosed_runs()),
        model_and_cohort=[
            (folder.partition("/")[0], cohort) for folder, cohort in diagnosed_on_t1()
        ],
        code=code_fingerprint("plot_diagnostics"),
    script:
        "../scripts/plot_diagnostics.py"


rule write_viewer:
    """The examples of Figure 7 in three planes, with a threshold to move."""
    input:
        examples="results/evaluate/examples.npz",
        voxel_sizes="results/evaluate/voxel_sizes_mm.json",
    output:
        report(
            "results/report/viewer.html",
            caption="../report/viewer.rst",
            category="Viewer",
            labels={"what": "test subjects, with a threshold to move"},
        ),
    log:
        "results/logs/write_viewer.log",
    benchmark:
        "results/benchmarks/write_viewer.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    params:
        model=EXAMPLE.name,
        title=EXAMPLE.title,
        cohort=LESION[0],
        percentiles=config["report"]["example_percentiles"],
        code=code_fingerprint("write_viewer", "viewer.html"),
    script:
        "../scripts/write_viewer.py"


rule write_front_page:
    """What was run, on what, and what came out: the page that the report opens with."""
    input:
        metrics="results/evaluate/metrics.csv",
        intervals="results/evaluate/intervals.csv",
        claims="results/evaluate/claims.csv",
        comparisons="results/evaluate/comparisons.csv",
        cohort_subjects="results/evaluate/cohort_subjects.csv",
        figure=[*figure_5(), "results/report/figures/figure_4.png"][0],
    output:
        report(
            "results/report/front.html",
            caption="../report/front.rst",
            category="Overview",
            labels={"what": "what was run and what came out"},
        ),
    log:
        "results/logs/write_front_page.log",
    benchmark:
        "results/benchmarks/write_front_page.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        title=lambda wildcards: config["study"]["title"],
        methods=described(
            [*config["study"]["table_1_models"], *config["study"]["baselines"]]
        ),
        paper_methods=methods_of_paper(),
        cohorts={
            cohort: config["report"]["paper_cohorts"].get(cohort) for cohort in LESION
        },
        grid_voxels=config["preprocess"]["grid_voxels"],
        code=code_fingerprint("write_front_page", "front.html"),
    script:
        "../scripts/write_front_page.py"


rule record_provenance:
    """What every result was made of, by which code and packages, and what it has cost."""
    input:
        RESULTS,
    output:
        crate="results/ro-crate-metadata.json",
        checksums="results/checksums.sha256",
        config="results/config.yaml",
        costs="results/report/tables/costs.md",
        page=report(
            "results/report/provenance.html",
            caption="../report/provenance.rst",
            category="Provenance and cost",
            labels={"what": "inputs, code, packages, config, time and memory"},
        ),
    log:
        "results/logs/record_provenance.log",
    benchmark:
        "results/benchmarks/record_provenance.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        config=config,
        code=code_fingerprint("record_provenance", "provenance.html"),
    script:
        "../scripts/record_provenance.py"


rule write_report:
    """Put every table and figure into one page that opens without a network."""
    input:
        RESULTS,
        "results/report/provenance.html",
    output:
        "report.html",
    log:
        "results/logs/write_report.log",
    benchmark:
        "results/benchmarks/write_report.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        config=config,
        code=code_fingerprint("write_report", "page.js", "page.css", *CAPTIONS),
    script:
        "../scripts/write_report.py"
