"""Rule collect_metrics: one table of all metrics, one of all test subjects."""

from spatial_erasing.cohorts import concatenate_tables
from spatial_erasing.jobs.logs import log_to

log_to(snakemake.log[0])

concatenate_tables(snakemake.input.metrics, snakemake.output.metrics)
concatenate_tables(snakemake.input.subjects, snakemake.output.subjects)
