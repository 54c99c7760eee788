"""What leaves a study: one of its methods in a file that `spatial-erasing apply` uses on new scans.

reads   weights, healthy and lesion volumes, reconstructions or maps, splits, manifests, results/evaluate/intervals.csv
writes  results/bundle/{study.example_model}.zip
"""


rule bundle:
    """Put the example model of the study into one file, all seeds as one ensemble."""
    input:
        volumes=expand("results/preprocess/{cohort}/volumes.npz", cohort=COHORTS),
        manifests=expand("results/preprocess/{cohort}/manifest.csv", cohort=HEALTHY),
        splits=expand("results/split/{group}.csv", group=["healthy", *LESION]),
        batches=plan.brains_that_set_the_grid(),
        landmarks=plan.learned_landmarks(HEALTHY[0]),
        weights=expand(
            "results/train/{model}/fraction-100/seed-{seed}/weights.pt",
            model=methods.example.model,
            seed=config["study"]["seeds"],
        ),
        stored=expand(
            "results/score/{stored}/fraction-100/seed-{seed}/{cohort}-{sequence}/{split}.npz",
            stored=methods.stored_of(methods.example),
            seed=config["study"]["seeds"],
            cohort=LESION,
            sequence=config["study"]["sequence"],
            split=["validation", "test"],
        ),
        intervals="results/evaluate/intervals.csv",
    output:
        f"results/bundle/{methods.example.name}.zip",
    log:
        "results/logs/bundle.log",
    benchmark:
        "results/benchmarks/bundle.tsv"
    conda:
        "../../envs/imaging.yaml"
    resources:
        mem_mb=growing(needs.arrays_mb()),
        runtime=growing(30),
    params:
        method=methods.example.name,
        config=config,
        code=code_fingerprint("bundle", kinds=methods.kinds_to_store),
    script:
        "../scripts/bundle.py"
