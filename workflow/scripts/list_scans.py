"""Rule list_scans: find, check and list the scans of a cohort."""

import logging
from pathlib import Path

from spatial_erasing.cohorts import write_rows
from spatial_erasing.ingest.scans import COLUMNS, list_scans
from spatial_erasing.ingest.summary import count_summary
from spatial_erasing.logs import log_to

log_to(snakemake.log[0])

rows = list_scans(
    snakemake.params.reader,
    snakemake.params.path,
    sequences=snakemake.params.sequences,
    skull_strip=snakemake.params.skull_strip,
    cohort=snakemake.wildcards.cohort,
    exclude=snakemake.params.exclude,
)
logging.info(count_summary(rows, excluded=snakemake.params.exclude))
write_rows(snakemake.output.scans, rows, columns=COLUMNS)
Path(snakemake.output.source).write_text(snakemake.params.source, encoding="utf-8")
