"""Rule collect_scans: one table of all cohorts' scans."""

from spatial_erasing.cohorts import concatenate_tables
from spatial_erasing.logs import log_to

log_to(snakemake.log[0])

concatenate_tables(snakemake.input, snakemake.output[0])
