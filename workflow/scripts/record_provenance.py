"""Rule record_provenance: what the results are made of, for a machine, for sha256sum and for a reader."""

import json
from pathlib import Path

import yaml

from spatial_erasing.atomic import replaced_when_complete
from spatial_erasing.cohorts import read_rows
from spatial_erasing.logs import log_to
from spatial_erasing.report.cost import cost_markdown, read_costs
from spatial_erasing.report.crate import checksum_lines, checksums_of, describe_run, finished_jobs
from spatial_erasing.report.inner_snakemake import run_inside
from spatial_erasing.report.provenance_page import provenance_page

log_to(snakemake.log[0])

config, files = snakemake.params.config, snakemake.output
jobs = finished_jobs(run_inside(config, "--detailed-summary"), without=snakemake.rule)
checksums = checksums_of(jobs)
Path(files.config).write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
crate = describe_run(
    jobs,
    checksums,
    read_rows("results/ingest/scans.csv"),
    config=Path(files.config),
    title=config["study"]["title"],
    folder="results",
)
costs = read_costs("results/benchmarks")
Path(files.costs).write_text(cost_markdown(costs), encoding="utf-8")
Path(files.checksums).write_text(checksum_lines(checksums, "results"), encoding="utf-8")
with replaced_when_complete(files.crate) as unfinished:
    unfinished.write_text(json.dumps(crate, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
page = provenance_page(crate, costs, config=config)
with replaced_when_complete(files.page) as unfinished:
    unfinished.write_text(page, encoding="utf-8")
