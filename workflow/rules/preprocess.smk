"""Stage preprocess: every brain cut out, denoised, on one intensity scale and on one small grid.

reads   results/ingest/{cohort}.csv
writes  results/preprocess/{cohort}/subjects/{subject}/   brain at the isotropic spacing, NIfTI
        results/preprocess/{cohort}/manifest.csv   one row a subject: done or failed, with measures
        results/preprocess/{cohort}/volumes.npz    all of the cohort on the networks' grid
        results/preprocess/{cohort}/quality.pdf    every subject in three planes
"""


rule prepare_brains:
    """Resample, strip, denoise and standardise the subjects of one batch; keep what is done already."""
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
    threads: 8
    resources:
        mem_mb=24000,
        runtime=240,
    params:
        batches=lambda wildcards: len(batches_of(wildcards.cohort)),
        spacing_mm=config["preprocess"]["spacing_mm"],
        denoise_time_step=config["preprocess"]["denoise_time_step"],
        denoise_iterations=config["preprocess"]["denoise_iterations"],
        lower_percentile=config["preprocess"]["lower_percentile"],
        upper_percentile=config["preprocess"]["upper_percentile"],
        brain_range_ml=config["preprocess"]["brain_range_ml"],
        code=code_fingerprint("prepare_brains"),
    script:
        "../scripts/prepare_brains.py"


rule stack_cohort:
    """Crop, pad and downsample every brain of a cohort into one file of arrays."""
    input:
        batches=lambda wildcards: expand(
            "results/preprocess/{cohort}/batch-{batch}.csv",
            cohort=wildcards.cohort,
            batch=batches_of(wildcards.cohort),
        ),
        study=brains_that_set_the_grid,
    output:
        volumes="results/preprocess/{cohort}/volumes.npz",
        manifest="results/preprocess/{cohort}/manifest.csv",
    log:
        "results/logs/stack_cohort/{cohort}.log",
    benchmark:
        "results/benchmarks/stack_cohort/{cohort}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 8
    resources:
        mem_mb=16000,
        runtime=60,
    params:
        sequences=lambda wildcards: config["ingest"]["cohorts"][wildcards.cohort][
            "sequences"
        ],
        padded_grid_voxels=config["preprocess"]["padded_grid_voxels"],
        grid_voxels=config["preprocess"]["grid_voxels"],
        lesion_downsampling=config["preprocess"]["lesion_downsampling"],
        maximum_failed_percent=config["preprocess"]["maximum_failed_percent"],
        code=code_fingerprint("stack_cohort"),
    script:
        "../scripts/stack_cohort.py"


rule plot_quality:
    """Draw every subject of a cohort in three planes with brain and lesion outlines."""
    input:
        volumes="results/preprocess/{cohort}/volumes.npz",
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
        mem_mb=4000,
        runtime=30,
    params:
        spacing_mm=config["preprocess"]["spacing_mm"],
        code=code_fingerprint("plot_quality"),
    script:
        "../scripts/plot_quality.py"
