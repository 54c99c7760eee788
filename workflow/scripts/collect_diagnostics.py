"""Rule collect_diagnostics: the diagnostics of all runs in two tables, and their threshold searches."""

import json

from spatial_erasing.cohorts import concatenate_tables
from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.jobs.results import read_json

log_to(snakemake.log[0])

concatenate_tables(snakemake.input.diagnostics, snakemake.output.diagnostics)
concatenate_tables(snakemake.input.components, snakemake.output.components)
searches = {}
for (model, cohort), path in zip(snakemake.params.model_and_cohort, snakemake.input.thresholds, strict=True):
    searches.setdefault(model, {})[cohort] = read_json(path)
write_text(snakemake.output.thresholds, json.dumps(searches, indent=1) + "\n")
