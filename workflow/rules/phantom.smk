"""Stage phantom: cohorts of synthetic heads, and of real heads with planted lesions.

reads   nothing for synthetic heads; healthy real scans and lesion shapes for planted ones
writes  results/phantom/{cohort}/   raw NIfTI in the layouts of the real data sets, exact masks in truth/
        results/phantom/{cohort}.csv   one row per subject
        results/preprocess/{cohort}/volumes.npz   phantoms directly on the networks' grid, if phantom.straight_to_grid
        results/phantom/planted/    scans with a lesion, planted.csv, and healthy.csv of the remaining scans
"""


rule make_phantoms:
    """Generate a cohort of synthetic heads with exact brain and lesion masks."""
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
        label_maps=lambda wildcards: config["phantom"]["label_maps"],
        scanners=config["phantom"]["scanners"],
        code=code_fingerprint("make_phantoms"),
    script:
        "../scripts/make_phantoms.py"


if config["phantom"]["straight_to_grid"]:

    rule synthesise_cohort:
        """Generate a cohort directly on the networks' grid, in place of ingest and preprocessing."""
        output:
            scans="results/ingest/{cohort}.csv",
            volumes="results/preprocess/{cohort}/volumes.npz",
            manifest="results/preprocess/{cohort}/manifest.csv",
            geometry="results/preprocess/{cohort}/geometry.json",
        log:
            "results/logs/synthesise_cohort/{cohort}.log",
        benchmark:
            "results/benchmarks/synthesise_cohort/{cohort}.tsv"
        conda:
            "../../envs/imaging.yaml"
        threads: 16
        resources:
            mem_mb=growing(needs.synthesis_mb),
            runtime=growing(60),
        params:
            cohort=lambda wildcards: config["phantom"]["cohorts"][wildcards.cohort],
            sequences=lambda wildcards: source_of(wildcards)["sequences"],
            settings={
                "seed": config["phantom"]["seed"],
                "scanners": config["phantom"]["scanners"],
                "minimum_lesion_ml": config["phantom"]["minimum_lesion_ml"],
                "padded_grid_mm": config["preprocess"]["padded_grid_voxels"],
                "grid_voxels": config["preprocess"]["grid_voxels"],
            },
            code=code_fingerprint("synthesise_cohort"),
        script:
            "../scripts/synthesise_cohort.py"

    ruleorder: synthesise_cohort > list_scans
    ruleorder: synthesise_cohort > stack_cohort


rule plant_lesions:
    """Plant real lesion shapes into a fraction of the healthy real scans; the others stay healthy."""
    input:
        planted_source,
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
        sequence=plan.sequence,
        minimum_lesion_ml=config["phantom"]["minimum_lesion_ml"],
        code=code_fingerprint("plant_lesions"),
    script:
        "../scripts/plant_lesions.py"


ruleorder: plant_lesions > make_phantoms
