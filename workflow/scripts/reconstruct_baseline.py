"""Rule reconstruct_baseline: the mean healthy volume, or a scan's own median, in place of a network."""

import numpy as np

from spatial_erasing.atomic import replaced_when_complete
from spatial_erasing.cohorts import read_split
from spatial_erasing.logs import log_to
from spatial_erasing.maker import describe_maker
from spatial_erasing.score.baselines import BASELINES

log_to(snakemake.log[0])

healthy = read_split(snakemake.input.healthy, snakemake.input.healthy_splits, split="training")
for split, path in snakemake.output.items():
    scans = read_split(
        [snakemake.input.volumes],
        snakemake.input.splits,
        split=split,
        sequence=snakemake.wildcards.sequence,
    )
    with replaced_when_complete(path) as unfinished:
        np.savez(
            unfinished,
            subject=[subject for _, subject in scans.subjects],
            reconstruction=BASELINES[snakemake.wildcards.model](healthy, scans),
            made_by=describe_maker(snakemake.params.code),
        )
