"""Rule find_threshold: the greedy search on the validation split, its path and the whole Dice curve."""

import json
from pathlib import Path

from spatial_erasing.logs import log_to
from spatial_erasing.score.maps import read_score_maps
from spatial_erasing.threshold.record import threshold_record

log_to(snakemake.log[0])

scans, maps = read_score_maps(
    (snakemake.input.volumes, snakemake.input.splits, snakemake.input.score),
    split="validation",
    sequence=snakemake.wildcards.sequence,
    **snakemake.params.post_processing,
)
record = threshold_record(
    maps,
    scans.lesion,
    iterations=snakemake.params.iterations,
    lower=snakemake.params.lower,
    upper=snakemake.params.upper,
)
Path(snakemake.output[0]).write_text(json.dumps(record, indent=1))
