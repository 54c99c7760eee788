"""Stage score: the network's healthy reconstruction of each scan of the lesion cohorts.

reads   results/preprocess/{cohort}/volumes.npz, results/split/{cohort}.csv, weights
writes  results/score/{stored}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/{split}.npz
        a model's reconstructions, shared by all scores that read them, or maps of a score that reads the network
        scan_space/{subject}.nii.gz beside them, on request: the score map on the voxels of the scan
"""


rule reconstruct_scans:
    """Reconstruct every scan of one split with a trained network."""
    input:
        volumes="results/preprocess/{cohort}/volumes.npz",
        splits=split_file,
        weights=lambda wildcards: (
            f"results/train/{methods.of(wildcards).model}/"
            + "fraction-{percent}/seed-{seed}/weights.pt"
        ),
        healthy=plan.healthy_to_store("results/preprocess/{cohort}/volumes.npz"),
        healthy_splits=plan.healthy_to_store("results/split/healthy.csv"),
    output:
        validation="results/score/{stored}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/validation.npz",
        test="results/score/{stored}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/test.npz",
    log:
        "results/logs/reconstruct_scans/{stored}-{percent}-{seed}-{cohort}-{sequence}.log",
    benchmark:
        "results/benchmarks/reconstruct_scans/{stored}-{percent}-{seed}-{cohort}-{sequence}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        gpu=needs.gpus,
        trainings_per_gpu=config["train"]["trainings_per_gpu"],
        mem_mb=growing(needs.reconstruction_mb),
        runtime=growing(60),
    params:
        device=config["train"]["device"],
        computing={
            "precision": "float32",
            "compile": False,
            "deterministic": config["train"]["deterministic"],
        },
        sequence=plan.sequence,
        score=methods.score_to_store,
        batch_size=plan.samples_at_a_time,
        code=code_fingerprint("reconstruct_scans", kinds=methods.kinds_to_store),
    script:
        "../scripts/reconstruct_scans.py"


rule reconstruct_baseline:
    """Write a baseline without a network in place of a reconstruction."""
    input:
        volumes="results/preprocess/{cohort}/volumes.npz",
        splits=split_file,
        healthy=expand("results/preprocess/{cohort}/volumes.npz", cohort=HEALTHY),
        healthy_splits="results/split/healthy.csv",
    output:
        validation="results/score/{baseline}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/validation.npz",
        test="results/score/{baseline}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/test.npz",
    log:
        "results/logs/reconstruct_baseline/{baseline}-{percent}-{seed}-{cohort}-{sequence}.log",
    benchmark:
        "results/benchmarks/reconstruct_baseline/{baseline}-{percent}-{seed}-{cohort}-{sequence}.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(needs.arrays_mb(*HEALTHY)),
        runtime=growing(60),
    params:
        sequence=plan.sequence,
        kind=lambda wildcards: methods.of(wildcards).baseline,
        code=code_fingerprint("reconstruct_baseline", kinds=methods.kinds_of_baseline),
    script:
        "../scripts/reconstruct_baseline.py"


rule return_to_scan:
    """Resample the score map of one test subject to the grid of its scan, for a viewer."""
    input:
        volumes="results/preprocess/{cohort}/volumes.npz",
        geometry="results/preprocess/{cohort}/geometry.json",
        splits="results/split/{cohort}.csv",
        score=lambda wildcards: methods.stored_scores(wildcards, "test"),
    output:
        "results/score/{method}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/scan_space/{subject}.nii.gz",
    log:
        "results/logs/return_to_scan/{method}-{percent}-{seed}-{cohort}-{sequence}-{subject}.log",
    benchmark:
        "results/benchmarks/return_to_scan/{method}-{percent}-{seed}-{cohort}-{sequence}-{subject}.tsv"
    conda:
        "../../envs/imaging.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        scoring=methods.scoring,
        code=code_fingerprint("return_to_scan", kinds=methods.kinds_of_score),
    script:
        "../scripts/return_to_scan.py"
