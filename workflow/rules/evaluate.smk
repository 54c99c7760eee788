"""Stage evaluate: every model on the test subjects, at the threshold that validation found.

reads   results/score/{run}/{cohort}-{sequence}/test.npz, results/threshold/{run}/…json
writes  results/evaluate/{run}/{cohort}-{sequence}/metrics.csv, subjects.csv, slices.npz
        results/evaluate/metrics.csv    tidy, one row a number
        results/evaluate/subjects.csv   one row a subject and model
"""


rule evaluate_dataset:
    """Evaluate one run on the test subjects of one cohort and sequence."""
    input:
        volumes="results/preprocess/{cohort}/volumes.npz",
        splits="results/split/{cohort}.csv",
        score="results/score/{model}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/test.npz",
        threshold=lambda wildcards: (
            "results/threshold/{model}/fraction-{percent}/seed-{seed}/"
            + f"{threshold_source(wildcards)}-{wildcards.sequence}.json"
        ),
    output:
        metrics="results/evaluate/{model}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/metrics.csv",
        subjects="results/evaluate/{model}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/subjects.csv",
        slices="results/evaluate/{model}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/slices.npz",
    log:
        "results/logs/evaluate_dataset/{model}-{percent}-{seed}-{cohort}-{sequence}.log",
    benchmark:
        "results/benchmarks/evaluate_dataset/{model}-{percent}-{seed}-{cohort}-{sequence}.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        erosion_iterations=config["score"]["erosion_iterations"],
        median_size_voxels=config["score"]["median_size_voxels"],
        code=code_fingerprint("evaluate_dataset"),
    script:
        "../scripts/evaluate_dataset.py"


rule collect_metrics:
    """Put the numbers of all runs into two tables."""
    input:
        metrics=evaluations("metrics.csv"),
        subjects=evaluations("subjects.csv"),
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
        mem_mb=1000,
        runtime=5,
    params:
        code=code_fingerprint("collect_metrics"),
    script:
        "../scripts/collect_metrics.py"
