"""Stage ingest: data sets as their owners ship them, every scan found or skipped with the reason.

reads   the folders and tables of ingest.cohorts
writes  results/ingest/{cohort}.csv   one row a scan
        results/ingest/scans.csv      all cohorts, for people
"""


rule list_scans:
    """List a cohort's scans with checksum and grid, found or skipped."""
    input:
        phantoms_of,
    output:
        "results/ingest/{cohort}.csv",
    log:
        "results/logs/list_scans/{cohort}.log",
    benchmark:
        "results/benchmarks/list_scans/{cohort}.tsv"
    conda:
        "../../envs/imaging.yaml"
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        reader=lambda wildcards: config["ingest"]["cohorts"][wildcards.cohort]["reader"],
        path=lambda wildcards: config["ingest"]["cohorts"][wildcards.cohort]["path"],
        sequences=lambda wildcards: config["ingest"]["cohorts"][wildcards.cohort][
            "sequences"
        ],
        skull_strip=lambda wildcards: config["ingest"]["cohorts"][wildcards.cohort][
            "skull_strip"
        ],
        code=code_fingerprint("list_scans"),
    script:
        "../scripts/list_scans.py"


rule collect_scans:
    """Put the lists of all cohorts into one table."""
    input:
        expand("results/ingest/{cohort}.csv", cohort=COHORTS),
    output:
        "results/ingest/scans.csv",
    log:
        "results/logs/collect_scans.log",
    benchmark:
        "results/benchmarks/collect_scans.tsv"
    conda:
        "../../envs/imaging.yaml"
    resources:
        mem_mb=500,
        runtime=5,
    params:
        code=code_fingerprint("collect_scans"),
    script:
        "../scripts/collect_scans.py"
