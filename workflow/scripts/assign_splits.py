"""Rule assign_splits: the split of every subject found, and its rank in the training fractions."""

from spatial_erasing.cohorts import read_rows, write_rows
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.split.assign import require_own_brains, scanners_of, split_rows, split_scans

log_to(snakemake.log[0])

require_own_brains(read_rows(snakemake.input.all_scans))
rows = [row for path in snakemake.input.scans for row in read_rows(path)]
splits = split_scans(
    rows, sizes=snakemake.params.sizes, seed=snakemake.params.seed, group=snakemake.wildcards.group
)
write_rows(
    snakemake.output[0],
    split_rows(splits, scanners_of(rows), seed=snakemake.params.seed),
    columns=("cohort", "subject", "scanner", "split", "training_rank"),
)
