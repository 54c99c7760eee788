"""Rule return_to_scan: one subject's score map on the voxels of its scan."""

from itertools import islice

from spatial_erasing.cohorts import place_of
from spatial_erasing.images.volumes import write_volume
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.preprocess.geometry import read_chains, return_to_scan
from spatial_erasing.score.maps import Scoring, read_score_maps

log_to(snakemake.log[0])

subject = snakemake.wildcards.subject
scans, maps = read_score_maps(
    (snakemake.input.volumes, snakemake.input.splits, snakemake.input.score),
    split="test",
    sequence=snakemake.wildcards.sequence,
    scoring=Scoring(**snakemake.params.scoring),
)
score = next(islice(maps, place_of(subject, scans), None))
grids = read_chains(snakemake.input.geometry)[subject]
write_volume(snakemake.output[0], return_to_scan(score, grids), grids["scan"].affine)
