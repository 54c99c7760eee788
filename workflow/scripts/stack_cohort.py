"""Rule stack_cohort: a cohort's brains on the networks' grid, in one file."""

import numpy as np

from spatial_erasing.atomic import replaced_when_complete
from spatial_erasing.cohorts import read_rows, write_rows
from spatial_erasing.logs import log_to
from spatial_erasing.maker import describe_maker
from spatial_erasing.preprocess.geometry import write_chains
from spatial_erasing.preprocess.stack import (
    MANIFEST_COLUMNS,
    GridSettings,
    largest_box,
    require_few_failures,
    stack_cohort,
)

log_to(snakemake.log[0])

rows = [row for batch in snakemake.input.batches for row in read_rows(batch)]
padded_grid_voxels = snakemake.params.padded_grid_voxels
if padded_grid_voxels == "auto":
    padded_grid_voxels = largest_box(row for batch in snakemake.input.study for row in read_rows(batch))
arrays, chains = stack_cohort(
    rows,
    sequences=tuple(snakemake.params.sequences),
    settings=GridSettings(
        padded_grid_voxels=tuple(padded_grid_voxels),
        grid_voxels=tuple(snakemake.params.grid_voxels),
        lesion_downsampling=snakemake.params.lesion_downsampling,
    ),
    cores=snakemake.threads,
)
require_few_failures(
    rows, maximum_percent=snakemake.params.maximum_failed_percent, cohort=snakemake.wildcards.cohort
)
write_rows(snakemake.output.manifest, rows, columns=MANIFEST_COLUMNS)
write_chains(snakemake.output.geometry, chains)
with replaced_when_complete(snakemake.output.volumes) as unfinished:
    np.savez(unfinished, **arrays, made_by=describe_maker(snakemake.params.code))
