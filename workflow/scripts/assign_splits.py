"""Rule assign_splits: the split of every subject that was found, and its place in the training fractions."""

from spatial_erasing.cohorts import read_rows, scanners_of, write_rows
from spatial_erasing.ingest.exclusion import require_own_brains
from spatial_erasing.logs import log_to
from spatial_erasing.split.assign import assign_splits, split_rows

log_to(snakemake.log[0])

require_own_brains(read_rows(snakemake.input.all_scans))
scanners = scanners_of(row for path in snakemake.input.scans for row in read_rows(path))
splits = assign_splits(
    scanners, sizes=snakemake.params.sizes, seed=snakemake.params.seed, group=snakemake.wildcards.group
)
write_rows(
    snakemake.output[0],
    split_rows(splits, scanners, seed=snakemake.params.seed),
    columns=("cohort", "subject", "scanner", "split", "training_rank"),
)
