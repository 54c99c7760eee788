"""Rule evaluate_dataset: the numbers of one run on the test subjects of one cohort and sequence."""

import json
from pathlib import Path

import numpy as np

from spatial_erasing.cohorts import write_rows
from spatial_erasing.evaluate.dataset import METRIC_COLUMNS, SUBJECT_COLUMNS, evaluate_dataset
from spatial_erasing.evaluate.subject_counts import save_counts
from spatial_erasing.logs import log_to
from spatial_erasing.score.maps import read_score_maps

log_to(snakemake.log[0])

scans, maps = read_score_maps(
    (snakemake.input.volumes, snakemake.input.splits, snakemake.input.score),
    split="test",
    sequence=snakemake.wildcards.sequence,
    **snakemake.params.post_processing,
)
threshold = json.loads(Path(snakemake.input.threshold).read_text())
found = evaluate_dataset(maps, scans, names=dict(snakemake.wildcards.items()), threshold=threshold)
write_rows(snakemake.output.metrics, found.metrics, columns=METRIC_COLUMNS)
write_rows(snakemake.output.subjects, found.subjects, columns=SUBJECT_COLUMNS)
save_counts(snakemake.output.counts, found.counts, threshold=threshold["threshold"])
np.savez(snakemake.output.slices, score=found.slices, abnormal=scans.lesion_slices)
