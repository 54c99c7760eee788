"""Stage threshold: the binarisation threshold of each model, from validation subjects alone.

reads   results/score/{run}/{cohort}-{sequence}/validation.npz and nothing of the test split
writes  results/threshold/{run}/{cohort}-{sequence}.json   threshold, search path, whole Dice curve
"""


rule find_threshold:
    """Search the threshold with the best Dice on a cohort's validation split."""
    input:
        volumes="results/preprocess/{cohort}/volumes.npz",
        splits="results/split/{cohort}.csv",
        score="results/score/{model}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/validation.npz",
    output:
        "results/threshold/{model}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}.json",
    log:
        "results/logs/find_threshold/{model}-{percent}-{seed}-{cohort}-{sequence}.log",
    benchmark:
        "results/benchmarks/find_threshold/{model}-{percent}-{seed}-{cohort}-{sequence}.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(needs.arrays_mb()),
        runtime=growing(30),
    params:
        post_processing=plan.post_processing,
        iterations=config["threshold"]["iterations"],
        lower=config["threshold"]["lower"],
        upper=config["threshold"]["upper"],
        code=code_fingerprint("find_threshold"),
    script:
        "../scripts/find_threshold.py"
