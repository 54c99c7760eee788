"""Stage train: one network per run, on healthy scans alone.

reads   results/preprocess/{healthy cohort}/volumes.npz, results/split/healthy.csv
writes  results/train/{model}/fraction-{percent}/seed-{seed}/weights.pt, history.csv, latent.csv
        checkpoint-{hash}/ beside them, from which a killed training resumes; kept if the training ended at
        maximum_steps, so that it continues if they are raised
"""


rule train_model:
    """Train one model on its fraction of the healthy subjects; keep the weights with the best validation loss."""
    input:
        volumes=expand("results/preprocess/{cohort}/volumes.npz", cohort=HEALTHY),
        splits="results/split/healthy.csv",
    output:
        weights="results/train/{model}/fraction-{percent}/seed-{seed}/weights.pt",
        history="results/train/{model}/fraction-{percent}/seed-{seed}/history.csv",
        latent="results/train/{model}/fraction-{percent}/seed-{seed}/latent.csv",
    log:
        "results/logs/train_model/{model}-{percent}-{seed}.log",
    benchmark:
        "results/benchmarks/train_model/{model}-{percent}-{seed}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        gpu=needs.gpus,
        trainings_per_gpu=config["train"]["trainings_per_gpu"],
        mem_mb=growing(needs.training_mb),
        runtime=growing(needs.training_minutes),
    params:
        device=config["train"]["device"],
        sequence=plan.sequence,
        model=methods.model,
        network=methods.network,
        training={
            key: config["train"][key]
            for key in ("erasing", "augmentation", "optimisation")
        },
        computing={
            key: config["train"][key]
            for key in ("precision", "compile", "deterministic")
        },
        code=code_fingerprint("train_model", kinds=methods.kinds_of_model),
    script:
        "../scripts/train_model.py"
