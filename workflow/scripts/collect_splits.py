"""Rule collect_splits: one table of all splits."""

from spatial_erasing.cohorts import concatenate_tables
from spatial_erasing.jobs.logs import log_to

log_to(snakemake.log[0])

concatenate_tables(snakemake.input, snakemake.output[0])
