"""Rule collect_diagnostics: the diagnostics of all runs in two tables."""

from spatial_erasing.cohorts import concatenate_tables
from spatial_erasing.logs import log_to

log_to(snakemake.log[0])

concatenate_tables(snakemake.input.diagnostics, snakemake.output.diagnostics)
concatenate_tables(snakemake.input.components, snakemake.output.components)
