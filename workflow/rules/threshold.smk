"""Stage threshold: the binarisation threshold of each model, from validation subjects alone.

reads   results/score/{run}/{cohort}-{sequence}/validation.npz; nothing of the test split
writes  results/threshold/{run}/{cohort}-{sequence}.json   threshold, search path, Dice curve
"""


rule find_threshold:
    """Search the threshold with the best Dice on a cohort's validation split."""
    input:
        volumes="results/preprocess/{cohort}/volumes.npz",
        splits="results/split/{cohort}.csv",
        score=lambda wildcards: methods.stored_scores(wildcards, "validation"),
    output:
        "results/threshold/{method}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}.json",
    log:
        "results/logs/find_threshold/{method}-{percent}-{seed}-{cohort}-{sequence}.log",
    benchmark:
        "results/benchmarks/find_threshold/{method}-{percent}-{seed}-{cohort}-{sequence}.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(needs.arrays_mb()),
        runtime=growing(30),
    params:
        scoring=methods.scoring,
        search=plan.threshold_search,
        code=code_fingerprint("find_threshold", kinds=methods.kinds_of_score),
    script:
        "../scripts/find_threshold.py"
