"""Stage evaluate: every model on the test subjects, at the threshold from the validation subjects.

reads   results/score/{stored}/…/test.npz, results/threshold/{run}/…json
writes  results/evaluate/{run}/{cohort}-{sequence}/metrics.csv, subjects.csv, slices.npz
                                            counts.npz      voxels per subject and score value
                                            detection.csv   lesion-wise, for report.rivals
        results/evaluate/metrics.csv        tidy, one row per number
        results/evaluate/subjects.csv       one row per subject and model
        results/evaluate/intervals.csv      metrics with their intervals over test subjects
        results/evaluate/comparisons.csv    one row per paired difference of a claim
        results/evaluate/claims.csv         one row per claim, with its verdict
        results/evaluate/diagnostics.csv, components.csv, thresholds.json   diagnostics of study.models and a
                                            baseline, not part of the protocol
        results/evaluate/cohort_subjects.csv, voxel_sizes_mm.json, healthy_example.npz, examples.npz, histories.csv
                                            data of other stages for figures, which then need only this folder
"""


rule evaluate_dataset:
    """Evaluate one run on the test subjects of one cohort and sequence."""
    input:
        volumes="results/preprocess/{cohort}/volumes.npz",
        splits="results/split/{cohort}.csv",
        score=lambda wildcards: methods.stored_scores(wildcards, "test"),
        threshold=lambda wildcards: (
            "results/threshold/{method}/fraction-{percent}/seed-{seed}/"
            + f"{plan.threshold_source(wildcards.cohort)}-{wildcards.sequence}.json"
        ),
    output:
        metrics="results/evaluate/{method}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/metrics.csv",
        subjects="results/evaluate/{method}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/subjects.csv",
        slices="results/evaluate/{method}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/slices.npz",
        counts="results/evaluate/{method}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/counts.npz",
    log:
        "results/logs/evaluate_dataset/{method}-{percent}-{seed}-{cohort}-{sequence}.log",
    benchmark:
        "results/benchmarks/evaluate_dataset/{method}-{percent}-{seed}-{cohort}-{sequence}.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(needs.arrays_mb()),
        runtime=growing(30),
    params:
        scoring=methods.scoring,
        code=code_fingerprint("evaluate_dataset", kinds=methods.kinds_of_score),
    script:
        "../scripts/evaluate_dataset.py"


rule detect_lesions:
    """Lesion-wise detection by one run on one data set, and what it marks in healthy validation scans."""
    input:
        volumes="results/preprocess/{cohort}/volumes.npz",
        splits="results/split/{cohort}.csv",
        score=lambda wildcards: methods.stored_scores(wildcards, "test"),
        threshold=lambda wildcards: plan.threshold_of(
            run_of(wildcards), wildcards.cohort
        ),
        healthy=expand("results/preprocess/{cohort}/volumes.npz", cohort=HEALTHY),
        healthy_splits="results/split/healthy.csv",
        healthy_scores=lambda wildcards: [
            methods.stored_scores(wildcards, "validation", cohort)
            for cohort in HEALTHY
        ],
    output:
        "results/evaluate/{method}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/detection.csv",
    log:
        "results/logs/detect_lesions/{method}-{percent}-{seed}-{cohort}-{sequence}.log",
    benchmark:
        "results/benchmarks/detect_lesions/{method}-{percent}-{seed}-{cohort}-{sequence}.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(needs.arrays_mb(*HEALTHY)),
        runtime=growing(30),
    params:
        scoring=methods.scoring,
        connectivity=config["evaluate"]["diagnostics"]["connectivity"],
        cost=methods.cost_of_scoring,
        code=code_fingerprint("detect_lesions", kinds=methods.kinds_of_score),
    script:
        "../scripts/detect_lesions.py"


rule collect_metrics:
    """Put the metrics of all runs into two tables."""
    input:
        metrics=plan.evaluations("metrics.csv"),
        subjects=plan.evaluations("subjects.csv"),
    output:
        metrics="results/evaluate/metrics.csv",
        subjects="results/evaluate/subjects.csv",
    log:
        "results/logs/collect_metrics.log",
    benchmark:
        "results/benchmarks/collect_metrics.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        code=code_fingerprint("collect_metrics"),
    script:
        "../scripts/collect_metrics.py"


rule resample_metrics:
    """Compute bootstrap intervals of every metric from counts of the test subjects, without voxels."""
    input:
        counts=plan.evaluations("counts.npz"),
        slices=plan.evaluations("slices.npz"),
    output:
        intervals="results/evaluate/intervals.csv",
        resamples="results/evaluate/resamples.npz",
    log:
        "results/logs/resample_metrics.log",
    benchmark:
        "results/benchmarks/resample_metrics.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        samples=config["evaluate"]["bootstrap_samples"],
        intervals=config["evaluate"]["intervals"],
        size_percentiles=config["evaluate"]["lesion_size_percentiles"],
        seed=config["evaluate"]["seed"],
        sequence=plan.sequence,
        code=code_fingerprint("resample_metrics"),
    script:
        "../scripts/resample_metrics.py"


rule judge_claims:
    """Compare the models as the paper does and judge each of its claims by intervals of the differences."""
    input:
        resamples="results/evaluate/resamples.npz",
        subjects="results/evaluate/subjects.csv",
    output:
        comparisons="results/evaluate/comparisons.csv",
        claims="results/evaluate/claims.csv",
    log:
        "results/logs/judge_claims.log",
    benchmark:
        "results/benchmarks/judge_claims.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        methods=methods.of_paper(),
        cohorts={
            cohort: config["ingest"]["cohorts"][cohort]["sequences"]
            for cohort in LESION
        },
        sequence=plan.sequence,
        intervals=config["evaluate"]["intervals"],
        size_percentiles=config["evaluate"]["lesion_size_percentiles"],
        seed=config["evaluate"]["seed"],
        code=code_fingerprint("judge_claims"),
    script:
        "../scripts/judge_claims.py"


rule diagnose_dataset:
    """Other thresholds, other post-processing and single lesions of one run: diagnostics that influence no result."""
    input:
        validation=lambda wildcards: [
            f"results/preprocess/{plan.threshold_source(wildcards.cohort)}/volumes.npz",
            f"results/split/{plan.threshold_source(wildcards.cohort)}.csv",
            methods.stored_scores(
                wildcards, "validation", plan.threshold_source(wildcards.cohort)
            ),
        ],
        test=lambda wildcards: [
            "results/preprocess/{cohort}/volumes.npz",
            "results/split/{cohort}.csv",
            methods.stored_scores(wildcards, "test"),
        ],
        thresholds=lambda wildcards: plan.thresholds_of_run(run_of(wildcards)),
    output:
        diagnostics="results/evaluate/{method}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/diagnostics.csv",
        components="results/evaluate/{method}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/components.csv",
        curve="results/evaluate/{method}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/precision_recall.npz",
    log:
        "results/logs/diagnose_dataset/{method}-{percent}-{seed}-{cohort}-{sequence}.log",
    benchmark:
        "results/benchmarks/diagnose_dataset/{method}-{percent}-{seed}-{cohort}-{sequence}.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(needs.arrays_mb(*LESION)),
        runtime=growing(60),
    params:
        source=lambda wildcards: f"{plan.threshold_source(wildcards.cohort)}-{wildcards.sequence}",
        score=methods.score,
        protocol=methods.post_processing,
        variants={
            "median_sizes_voxels": config["evaluate"]["diagnostics"][
                "median_sizes_voxels"
            ],
            "erosion_iterations": config["evaluate"]["diagnostics"][
                "erosion_iterations"
            ],
        },
        components={
            "connectivity": config["evaluate"]["diagnostics"]["connectivity"],
            "minimum_overlap_percent": config["evaluate"]["diagnostics"][
                "minimum_overlap_percent"
            ],
        },
        search=plan.threshold_search,
        code=code_fingerprint("diagnose_dataset", kinds=methods.kinds_of_score),
    script:
        "../scripts/diagnose_dataset.py"


rule collect_diagnostics:
    """Put the diagnostics of all runs into two tables, and their threshold searches into one file."""
    input:
        diagnostics=plan.evaluations("diagnostics.csv", plan.diagnosed_runs),
        components=plan.evaluations("components.csv", plan.diagnosed_runs),
        thresholds=plan.thresholds_of(plan.diagnosed_runs),
    output:
        diagnostics="results/evaluate/diagnostics.csv",
        components="results/evaluate/components.csv",
        thresholds="results/evaluate/thresholds.json",
    log:
        "results/logs/collect_diagnostics.log",
    benchmark:
        "results/benchmarks/collect_diagnostics.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        model_and_cohort=plan.diagnosed_methods,
        code=code_fingerprint("collect_diagnostics"),
    script:
        "../scripts/collect_diagnostics.py"


rule collect_cohorts:
    """Keep data for tables and figures: subjects, voxel sizes, the healthy scan of Figure 3."""
    input:
        volumes=expand("results/preprocess/{cohort}/volumes.npz", cohort=COHORTS),
        manifests=expand("results/preprocess/{cohort}/manifest.csv", cohort=COHORTS),
        splits="results/split/splits.csv",
    output:
        subjects="results/evaluate/cohort_subjects.csv",
        voxel_sizes="results/evaluate/voxel_sizes_mm.json",
        healthy_example="results/evaluate/healthy_example.npz",
    log:
        "results/logs/collect_cohorts.log",
    benchmark:
        "results/benchmarks/collect_cohorts.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(needs.arrays_mb(*COHORTS)),
        runtime=growing(10),
    params:
        healthy_cohorts=HEALTHY,
        sequence=plan.sequence,
        code=code_fingerprint("collect_cohorts"),
    script:
        "../scripts/collect_cohorts.py"


rule collect_examples:
    """Keep the test subjects of Figure 7 and the viewer, at fixed percentiles of DICE_S."""
    input:
        volumes=expand("results/preprocess/{cohort}/volumes.npz", cohort=LESION),
        reconstructions=plan.example_scores(methods.example.model),
        scores=plan.example_scores(methods.stored_of(methods.example)),
        subjects=plan.on_trained_sequence("subjects.csv", [plan.example_run]),
        thresholds=plan.thresholds_of([plan.example_run]),
    output:
        "results/evaluate/examples.npz",
    log:
        "results/logs/collect_examples.log",
    benchmark:
        "results/benchmarks/collect_examples.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(needs.arrays_mb(*LESION)),
        runtime=growing(10),
    params:
        sequence=plan.sequence,
        percentiles=config["report"]["example_percentiles"],
        scoring=methods.scoring,
        code=code_fingerprint("collect_examples", kinds=methods.kinds_of_score),
    script:
        "../scripts/collect_examples.py"


rule collect_histories:
    """Put the learning curves of all models into one table."""
    input:
        expand(
            "results/train/{model}/fraction-100/seed-{seed}/history.csv",
            model=methods.trained,
            seed=plan.first_seed,
        ),
    output:
        "results/evaluate/histories.csv",
    log:
        "results/logs/collect_histories.log",
    benchmark:
        "results/benchmarks/collect_histories.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        code=code_fingerprint("collect_histories"),
    script:
        "../scripts/collect_histories.py"
