"""Stage phantom: cohorts of synthetic heads, and of real heads with planted lesions.

reads   nothing for synthetic heads; healthy real scans and lesion shapes for planted ones
writes  results/phantom/{cohort}/   raw NIfTI in the layouts of the real data sets, truth apart in truth/
        results/phantom/{cohort}.csv   one row a subject
        results/phantom/planted/    scans with a lesion, planted.csv, and healthy.csv of the others
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
        mem_mb=growing(12000),
        runtime=growing(120),
    params:
        cohort=lambda wildcards: config["phantom"]["cohorts"][wildcards.cohort],
        seed=config["phantom"]["seed"],
        spacing_mm=config["phantom"]["spacing_mm"],
        minimum_lesion_ml=config["phantom"]["minimum_lesion_ml"],
        label_maps=config["phantom"]["label_maps"],
        scanners=config["phantom"]["scanners"],
        code=code_fingerprint("make_phantoms"),
    script:
        "../scripts/make_phantoms.py"


rule plant_lesions:
    """Plant real lesion shapes into a share of healthy real scans; the others stay healthy."""
    input:
        lambda wildcards: planted_source(),
    output:
        truth="results/phantom/planted.csv",
        healthy="results/phantom/planted/healthy.csv",
        planted="results/phantom/planted/planted.csv",
    log:
        "results/logs/plant_lesions.log",
    benchmark:
        "results/benchmarks/plant_lesions.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 8
    resources:
        mem_mb=growing(28000),
        runtime=growing(240),
    params:
        planted=config["phantom"]["planted"],
        minimum_lesion_ml=config["phantom"]["minimum_lesion_ml"],
        code=code_fingerprint("plant_lesions"),
    script:
        "../scripts/plant_lesions.py"


ruleorder: plant_lesions > make_phantoms
