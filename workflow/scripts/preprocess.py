"""Rule preprocess: print the numbers of done, failed and flagged subjects."""

import sys
from pathlib import Path

from spatial_erasing.cohorts import read_rows
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.preprocess.quality import quality_summary

log_to(snakemake.log[0])

print(file=sys.__stdout__)
for table in map(Path, snakemake.input.quality):
    print(quality_summary(read_rows(table), cohort=table.parent.name), file=sys.__stdout__)
    print(f"  {table.with_suffix('.html')}", file=sys.__stdout__)
