"""Stage score: what a healthy brain would have looked like in each scan of the lesion cohorts.

reads   results/preprocess/{cohort}/volumes.npz, results/split/{cohort}.csv, weights
writes  results/score/{model}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/{split}.npz
        scan_space/{subject}.nii.gz beside them, when asked for: the score map on the voxels of the scan
"""


rule reconstruct_scans:
    """Reconstruct every scan of one split with a trained network."""
    input:
        volumes="results/preprocess/{cohort}/volumes.npz",
        splits="results/split/{cohort}.csv",
        weights="results/train/{model}/fraction-{percent}/seed-{seed}/weights.pt",
    output:
        validation="results/score/{model}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/validation.npz",
        test="results/score/{model}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/test.npz",
    log:
        "results/logs/reconstruct_scans/{model}-{percent}-{seed}-{cohort}-{sequence}.log",
    benchmark:
        "results/benchmarks/reconstruct_scans/{model}-{percent}-{seed}-{cohort}-{sequence}.tsv"
    wildcard_constraints:
        model="[23]d-.*",
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        gpu=needs.gpus,
        mem_mb=growing(needs.reconstruction_mb),
        runtime=growing(60),
    params:
        device=config["train"]["device"],
        computing={
            "precision": "float32",
            "compile": False,
            "deterministic": config["train"]["deterministic"],
        },
        batch_size=lambda wildcards: plan.samples_at_a_time(
            parse_model(wildcards.model).spatial_dims
        ),
        code=code_fingerprint("reconstruct_scans"),
    script:
        "../scripts/reconstruct_scans.py"


rule reconstruct_baseline:
    """Put a baseline without a network in the place of a reconstruction."""
    input:
        volumes="results/preprocess/{cohort}/volumes.npz",
        splits="results/split/{cohort}.csv",
        healthy=expand("results/preprocess/{cohort}/volumes.npz", cohort=HEALTHY),
        healthy_splits="results/split/healthy.csv",
    output:
        validation="results/score/{model}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/validation.npz",
        test="results/score/{model}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/test.npz",
    log:
        "results/logs/reconstruct_baseline/{model}-{percent}-{seed}-{cohort}-{sequence}.log",
    benchmark:
        "results/benchmarks/reconstruct_baseline/{model}-{percent}-{seed}-{cohort}-{sequence}.tsv"
    wildcard_constraints:
        model="baseline-.*",
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(needs.arrays_mb(*HEALTHY)),
        runtime=growing(60),
    params:
        code=code_fingerprint("reconstruct_baseline"),
    script:
        "../scripts/reconstruct_baseline.py"


rule return_to_scan:
    """Bring the score map of one test subject back to the grid of its scan, for a viewer."""
    input:
        volumes="results/preprocess/{cohort}/volumes.npz",
        geometry="results/preprocess/{cohort}/geometry.json",
        splits="results/split/{cohort}.csv",
        score="results/score/{model}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/test.npz",
    output:
        "results/score/{model}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/scan_space/{subject}.nii.gz",
    log:
        "results/logs/return_to_scan/{model}-{percent}-{seed}-{cohort}-{sequence}-{subject}.log",
    benchmark:
        "results/benchmarks/return_to_scan/{model}-{percent}-{seed}-{cohort}-{sequence}-{subject}.tsv"
    conda:
        "../../envs/imaging.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        post_processing=plan.post_processing,
        code=code_fingerprint("return_to_scan"),
    script:
        "../scripts/return_to_scan.py"
