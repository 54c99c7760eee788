"""Stage preprocess: every brain stripped, denoised, on one intensity scale and on one small grid.

reads   results/ingest/{cohort}.csv
writes  results/preprocess/{cohort}/subjects/{subject}/   brain at the isotropic spacing, NIfTI
        results/preprocess/{cohort}/manifest.csv   one row per subject: done or failed, with measures
        results/preprocess/{cohort}/volumes.npz    the whole cohort on the networks' grid
        results/preprocess/{cohort}/geometry.json  the grids that map it back to each scan
        results/preprocess/landmarks.json          the standard scale, if preprocess.standardise needs it
        results/preprocess/healthy_band.json       band of the quantile curves of the healthy training brains
        results/preprocess/{cohort}/quality.csv, .html   subjects to check: failed, flagged, with a warning
        results/preprocess/{cohort}/quality.pdf    every subject in three planes
"""


rule preprocess:
    """Prepare the data, compare their quality with the healthy training brains, and print a summary."""
    input:
        quality=expand("results/preprocess/{cohort}/quality.csv", cohort=COHORTS),
        others=expand(
            "results/preprocess/{cohort}/{file}",
            cohort=COHORTS,
            file=[
                "volumes.npz",
                "manifest.csv",
                "geometry.json",
                "quality.html",
                "quality.pdf",
            ],
        ),
    log:
        "results/logs/preprocess.log",
    benchmark:
        "results/benchmarks/preprocess.tsv"
    conda:
        "../../envs/imaging.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        code=code_fingerprint("preprocess"),
    script:
        "../scripts/preprocess.py"


rule prepare_brains:
    """Resample, strip, denoise and scale the subjects of one batch; keep finished subjects."""
    input:
        "results/ingest/{cohort}.csv",
    output:
        "results/preprocess/{cohort}/batch-{batch}.csv",
    log:
        "results/logs/prepare_brains/{cohort}-{batch}.log",
    benchmark:
        "results/benchmarks/prepare_brains/{cohort}-{batch}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 4
    resources:
        gpu=0 if config["preprocess"]["device"] == "cpu" else 1,
        mem_mb=growing(needs.preparation_mb),
        runtime=growing(needs.preparation_minutes),
    params:
        batches=lambda wildcards: source_of(wildcards)["batches"],
        sequence=plan.sequence,
        settings=plan.preparation,
        device=config["preprocess"]["device"],
        code=code_fingerprint("prepare_brains"),
    script:
        "../scripts/prepare_brains.py"


rule learn_landmarks:
    """Learn the standard intensity scale on the healthy training subjects, and on nobody else."""
    input:
        splits="results/split/healthy.csv",
        batches=plan.brains_of(HEALTHY),
    output:
        "results/preprocess/landmarks.json",
    log:
        "results/logs/learn_landmarks.log",
    benchmark:
        "results/benchmarks/learn_landmarks.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 8
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        learned_from=plan.common_sequences(HEALTHY),
        sequences=plan.sequences(),
        percentiles=config["preprocess"]["standard"]["landmarks"]["percentiles"],
        code=code_fingerprint("learn_landmarks"),
    script:
        "../scripts/learn_landmarks.py"


rule stack_cohort:
    """Standardise, crop, pad and downsample every brain of a cohort into one file of arrays."""
    input:
        batches=lambda wildcards: plan.brains_of([wildcards.cohort]),
        study=lambda wildcards: plan.brains_that_set_the_grid(),
        landmarks=lambda wildcards: plan.learned_landmarks(wildcards.cohort),
    output:
        volumes="results/preprocess/{cohort}/volumes.npz",
        manifest="results/preprocess/{cohort}/manifest.csv",
        geometry="results/preprocess/{cohort}/geometry.json",
    log:
        "results/logs/stack_cohort/{cohort}.log",
    benchmark:
        "results/benchmarks/stack_cohort/{cohort}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 8
    resources:
        mem_mb=growing(needs.stacking_mb),
        runtime=growing(60),
    params:
        sequences=lambda wildcards: source_of(wildcards)["sequences"],
        standardise=lambda wildcards: plan.ways_to_standardise(wildcards.cohort),
        targets=lambda wildcards: plan.targets_of_standard(wildcards.cohort),
        padded_grid_voxels=config["preprocess"]["padded_grid_voxels"],
        grid_voxels=config["preprocess"]["grid_voxels"],
        lesion_downsampling=config["preprocess"]["lesion_downsampling"],
        maximum_failed_percent=config["preprocess"]["maximum_failed_percent"],
        code=code_fingerprint("stack_cohort"),
    script:
        "../scripts/stack_cohort.py"


rule measure_healthy_band:
    """Measure the band of the quantile curves of the healthy training brains."""
    input:
        volumes=expand("results/preprocess/{cohort}/volumes.npz", cohort=HEALTHY),
        splits="results/split/healthy.csv",
    output:
        "results/preprocess/healthy_band.json",
    log:
        "results/logs/measure_healthy_band.log",
    benchmark:
        "results/benchmarks/measure_healthy_band.tsv"
    conda:
        "../../envs/imaging.yaml"
    resources:
        mem_mb=growing(needs.arrays_mb(*HEALTHY)),
        runtime=growing(30),
    params:
        sequence=plan.sequence,
        code=code_fingerprint("measure_healthy_band"),
    script:
        "../scripts/measure_healthy_band.py"


rule assess_quality:
    """List subjects to check: failed, unusual volume or contrast, warnings; none is excluded."""
    input:
        manifest="results/preprocess/{cohort}/manifest.csv",
        volumes="results/preprocess/{cohort}/volumes.npz",
        band="results/preprocess/healthy_band.json",
    output:
        csv="results/preprocess/{cohort}/quality.csv",
        html=report(
            "results/preprocess/{cohort}/quality.html",
            caption="../report/quality_table.rst",
            category="Data and quality",
            labels={"cohort": "{cohort}", "what": "subjects to check"},
        ),
    log:
        "results/logs/assess_quality/{cohort}.log",
    benchmark:
        "results/benchmarks/assess_quality/{cohort}.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(needs.arrays_mb()),
        runtime=growing(30),
    params:
        sequences=lambda wildcards: source_of(wildcards)["sequences"],
        flag_outside_ml=config["preprocess"]["flag_outside_ml"],
        flag_beyond_deviations=config["preprocess"]["flag_beyond_deviations"],
        flag_beyond_band=config["preprocess"]["flag_beyond_band"],
        code=code_fingerprint("assess_quality", "quality.html"),
    script:
        "../scripts/assess_quality.py"


rule plot_quality:
    """Draw every subject of a cohort in three planes with brain and lesion outlines."""
    input:
        volumes="results/preprocess/{cohort}/volumes.npz",
        quality="results/preprocess/{cohort}/quality.csv",
    output:
        report(
            "results/preprocess/{cohort}/quality.pdf",
            caption="../report/quality.rst",
            category="Data and quality",
            labels={"cohort": "{cohort}", "what": "every subject"},
        ),
    log:
        "results/logs/plot_quality/{cohort}.log",
    benchmark:
        "results/benchmarks/plot_quality/{cohort}.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(needs.arrays_mb()),
        runtime=growing(30),
    params:
        flag_outside_ml=config["preprocess"]["flag_outside_ml"],
        flag_beyond_deviations=config["preprocess"]["flag_beyond_deviations"],
        flag_beyond_band=config["preprocess"]["flag_beyond_band"],
        sequence=plan.sequence,
        code=code_fingerprint("plot_quality"),
    script:
        "../scripts/plot_quality.py"
