"""Rule ingest: print the summary of all scans."""

import sys
from pathlib import Path

from spatial_erasing.jobs.logs import log_to

log_to(snakemake.log[0])

print(Path(snakemake.input.summary).read_text(encoding="utf-8"), file=sys.__stdout__)
