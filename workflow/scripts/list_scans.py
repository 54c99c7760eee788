"""Rule list_scans: find, check and list the scans of a cohort."""

import logging
from pathlib import Path

from spatial_erasing.cohorts import write_rows
from spatial_erasing.ingest.listing import count_summary, list_or_keep
from spatial_erasing.ingest.scans import COLUMNS
from spatial_erasing.ingest.source import SOURCE
from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.jobs.logs import log_to

log_to(snakemake.log[0])

rows = list_or_keep(
    Path(snakemake.output.scans),
    source={name: getattr(snakemake.params, name) for name in SOURCE},
    cohort=snakemake.wildcards.cohort,
    exclude=snakemake.params.exclude,
)
logging.info(count_summary(rows, excluded=snakemake.params.exclude))
write_rows(snakemake.output.scans, rows, columns=COLUMNS)
write_text(snakemake.output.source, snakemake.params.source)
