"""Stage ingest: data sets in their original layout, every scan found or skipped with the reason.

reads   the folders and tables of ingest.cohorts, the archives of ingest.downloads
writes  results/ingest/{cohort}.csv   one row per scan; beside it .source, the data set's file names and sizes
        results/ingest/scans.csv      all cohorts, to read
        results/ingest/summary.txt    scans found and skipped with reasons, and whether split.sizes fit
        results/ingest/downloads/{archive}/   public data sets, unpacked
"""


rule ingest:
    """Only list the scans and print the summary, on every call."""
    input:
        scans="results/ingest/scans.csv",
        summary="results/ingest/summary.txt",
    log:
        "results/logs/ingest.log",
    conda:
        "../../envs/imaging.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        code=code_fingerprint("ingest"),
    script:
        "../scripts/ingest.py"


rule fetch_archive:
    """Download a public data set and unpack it; an interrupted download resumes."""
    output:
        "results/ingest/downloads/{archive}.json",
    log:
        "results/logs/fetch_archive/{archive}.log",
    benchmark:
        "results/benchmarks/fetch_archive/{archive}.tsv"
    conda:
        "../../envs/imaging.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(1440),
    params:
        url=lambda wildcards: config["ingest"]["downloads"][wildcards.archive]["url"],
        sha256=lambda wildcards: config["ingest"]["downloads"][wildcards.archive][
            "sha256"
        ],
        code=code_fingerprint("fetch_archive"),
    script:
        "../scripts/fetch_archive.py"


rule list_scans:
    """List a cohort's scans with checksum and grid, found or skipped."""
    input:
        needed_to_list,
    output:
        scans="results/ingest/{cohort}.csv",
        source="results/ingest/{cohort}.source",
    log:
        "results/logs/list_scans/{cohort}.log",
    benchmark:
        "results/benchmarks/list_scans/{cohort}.tsv"
    conda:
        "../../envs/imaging.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(60),
    params:
        reader=lambda wildcards: source_of(wildcards)["reader"],
        path=lambda wildcards: source_of(wildcards)["path"],
        sequences=lambda wildcards: source_of(wildcards)["sequences"],
        skull_strip=lambda wildcards: source_of(wildcards)["skull_strip"],
        exclude=lambda wildcards: plan.excluded.get(wildcards.cohort, {}),
        source=lambda wildcards: plan.signature(wildcards.cohort),
        code=code_fingerprint("list_scans"),
    script:
        "../scripts/list_scans.py"


rule collect_scans:
    """Put the lists of all cohorts into one table, and their counts into a summary."""
    input:
        expand("results/ingest/{cohort}.csv", cohort=COHORTS),
    output:
        scans="results/ingest/scans.csv",
        summary="results/ingest/summary.txt",
    log:
        "results/logs/collect_scans.log",
    benchmark:
        "results/benchmarks/collect_scans.tsv"
    conda:
        "../../envs/imaging.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        exclude=lambda wildcards: plan.excluded,
        groups={"healthy": HEALTHY, **{cohort: [cohort] for cohort in LESION}},
        sizes=config["split"]["sizes"],
        seed=config["split"]["seed"],
        code=code_fingerprint("collect_scans"),
    script:
        "../scripts/collect_scans.py"
