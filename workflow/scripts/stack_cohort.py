"""Rule stack_cohort: a cohort's brains on one contrast and on the networks' grid, in one file."""

import numpy as np

from spatial_erasing.cohorts import read_rows, write_rows
from spatial_erasing.jobs.atomic import replaced_when_complete
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.jobs.provenance import describe_maker
from spatial_erasing.preprocess import stack
from spatial_erasing.preprocess.geometry import write_chains
from spatial_erasing.preprocess.standardise.ways import read_standard

log_to(snakemake.log[0])

params = snakemake.params
rows = [row for batch in snakemake.input.batches for row in read_rows(batch)]
padded_grid_voxels = params.padded_grid_voxels
if padded_grid_voxels == "auto":
    study = (row for batch in snakemake.input.study for row in read_rows(batch))
    padded_grid_voxels = stack.largest_box(study)
arrays, chains = stack.stack_cohort(
    rows,
    sequences=tuple(params.sequences),
    settings=stack.StackSettings(
        standard=read_standard(params.standardise, params.targets, snakemake.input.landmarks),
        padded_grid_voxels=tuple(padded_grid_voxels),
        grid_voxels=tuple(params.grid_voxels),
        lesion_downsampling=params.lesion_downsampling,
    ),
    cores=snakemake.threads,
)
cohort = snakemake.wildcards.cohort
stack.require_few_failures(rows, maximum_percent=params.maximum_failed_percent, cohort=cohort)
write_rows(snakemake.output.manifest, rows, columns=stack.MANIFEST_COLUMNS)
write_chains(snakemake.output.geometry, chains)
with replaced_when_complete(snakemake.output.volumes) as unfinished:
    np.savez(unfinished, **arrays, made_by=describe_maker(params.code))
