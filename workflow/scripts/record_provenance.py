"""Rule record_provenance: provenance of the results as RO-Crate, checksums and page."""

import json
from pathlib import Path

import yaml

from spatial_erasing.cohorts import read_rows
from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.report.crate import (
    checksum_lines,
    checksums_of,
    describe_run,
    devices_of_rules,
    finished_jobs,
    provenance_page,
    read_costs,
)
from spatial_erasing.report.reporter import run_inside
from spatial_erasing.report.templates import write_filled

log_to(snakemake.log[0])
config, files = snakemake.params.config, snakemake.output
jobs = finished_jobs(run_inside(config, "--detailed-summary"), without=snakemake.rule)
checksums = checksums_of(jobs)
write_text(files.config, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
crate = describe_run(
    jobs,
    checksums,
    read_rows("results/ingest/scans.csv"),
    config=Path(files.config),
    title=config["study"]["title"],
    folder="results",
)
costs = read_costs("results/benchmarks")
write_filled([files.costs], "costs", costs=costs, devices=devices_of_rules(crate))
write_text(files.checksums, checksum_lines(checksums, "results"))
write_text(files.crate, json.dumps(crate, indent=1, ensure_ascii=False) + "\n")
write_text(files.page, provenance_page(crate, costs, config=config))
