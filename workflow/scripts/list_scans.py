"""Rule list_scans: find, check and list the scans of a cohort."""

import logging

from spatial_erasing.cohorts import write_rows
from spatial_erasing.ingest.scans import COLUMNS, count_summary, list_scans
from spatial_erasing.logs import log_to

log_to(snakemake.log[0])

rows = list_scans(
    snakemake.params.reader,
    snakemake.params.path,
    sequences=snakemake.params.sequences,
    skull_strip=snakemake.params.skull_strip,
    cohort=snakemake.wildcards.cohort,
)
logging.info(count_summary(rows))
write_rows(snakemake.output[0], rows, columns=COLUMNS)
