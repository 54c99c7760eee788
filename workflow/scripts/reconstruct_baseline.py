"""Rule reconstruct_baseline: reconstructions without a network."""

from spatial_erasing.cohorts import read_split
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.jobs.provenance import describe_maker
from spatial_erasing.registry import BASELINES
from spatial_erasing.score.maps import RECONSTRUCTION, save_stored

log_to(snakemake.log[0])

params, files = snakemake.params, snakemake.input
healthy = read_split(files.healthy, files.healthy_splits, split="training", sequence=params.sequence)
for split, path in snakemake.output.items():
    scans = read_split([files.volumes], files.splits, split=split, sequence=snakemake.wildcards.sequence)
    stored = BASELINES.load(params.kind).reconstruct(healthy, scans)
    save_stored(path, scans, stored, what=RECONSTRUCTION, made_by=describe_maker(params.code))
