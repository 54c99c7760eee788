"""Stage phantom: cohorts of synthetic heads, in the file layouts of the real data sets.

reads   nothing; the anatomy ships inside a dependency
writes  results/phantom/{cohort}/   raw NIfTI, truth apart in truth/
        results/phantom/{cohort}.csv   one row a subject
"""


rule make_phantoms:
    """Make a cohort of synthetic heads whose brain and lesion are known exactly."""
    output:
        "results/phantom/{cohort}.csv",
    log:
        "results/logs/make_phantoms/{cohort}.log",
    benchmark:
        "results/benchmarks/make_phantoms/{cohort}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 8
    resources:
        mem_mb=12000,
        runtime=120,
    params:
        cohort=lambda wildcards: config["phantom"]["cohorts"][wildcards.cohort],
        seed=config["phantom"]["seed"],
        spacing_mm=config["phantom"]["spacing_mm"],
        minimum_lesion_ml=config["phantom"]["minimum_lesion_ml"],
        scanners=config["phantom"]["scanners"],
        code=code_fingerprint("make_phantoms"),
    script:
        "../scripts/make_phantoms.py"
