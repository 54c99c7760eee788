"""Rule collect_scans: one table of all cohorts' scans, and a summary."""

from pathlib import Path

from spatial_erasing.cohorts import read_rows, write_rows
from spatial_erasing.ingest.listing import cohorts_summary
from spatial_erasing.ingest.records import SAME_BRAIN
from spatial_erasing.ingest.scans import COLUMNS
from spatial_erasing.ingest.unfit import mark_rescaled
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.split.assign import fit_summary, shared_brains

log_to(snakemake.log[0])

rows = [row for cohort in snakemake.input for row in read_rows(cohort)]
mark_rescaled(rows)
write_rows(snakemake.output.scans, rows, columns=(*COLUMNS, SAME_BRAIN))
found = cohorts_summary(rows, excluded=snakemake.params.exclude)
fit = fit_summary(
    rows, groups=snakemake.params.groups, sizes=snakemake.params.sizes, seed=snakemake.params.seed
)
shared = shared_brains(rows)
summary = (
    f"\nFound\n\n{found}\n\nsplit.sizes\n\n{fit}\n\n"
    + (f"NO SPLIT IS POSSIBLE: {shared}\n\n" if shared else "")
    + f"Every scan, with the reason if it is skipped: {snakemake.output.scans}\n"
    "Next: the same command without the word ingest runs the whole study.\n"
)
print(summary)
Path(snakemake.output.summary).write_text(summary, encoding="utf-8")
