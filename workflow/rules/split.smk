"""Stage split: training, validation and test subjects; the same on every machine.

reads   results/ingest/{cohort}.csv, so that later failures move no subject
writes  results/split/{group}.csv   all healthy cohorts together, or one lesion cohort
        results/split/splits.csv    all groups, to read
"""


rule assign_splits:
    """Assign every subject to a split by a hash of its name, stratified by scanner."""
    input:
        scans=lambda wildcards: expand(
            "results/ingest/{cohort}.csv",
            cohort=HEALTHY if wildcards.group == "healthy" else wildcards.group,
        ),
        # checked for scans in two cohorts; a new scan in another cohort must not rerun this job
        all_scans=ancient("results/ingest/scans.csv"),
    output:
        "results/split/{group}.csv",
    log:
        "results/logs/assign_splits/{group}.log",
    benchmark:
        "results/benchmarks/assign_splits/{group}.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        sizes=lambda wildcards: config["split"]["sizes"][wildcards.group],
        seed=config["split"]["seed"],
        code=code_fingerprint("assign_splits"),
    script:
        "../scripts/assign_splits.py"


rule collect_splits:
    """Put the splits of all cohorts into one table."""
    input:
        expand("results/split/{group}.csv", group=["healthy", *LESION]),
    output:
        "results/split/splits.csv",
    log:
        "results/logs/collect_splits.log",
    benchmark:
        "results/benchmarks/collect_splits.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        code=code_fingerprint("collect_splits"),
    script:
        "../scripts/collect_splits.py"
