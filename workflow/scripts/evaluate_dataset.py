"""Rule evaluate_dataset: the metrics of one run on the test subjects of one cohort and sequence."""

import numpy as np

from spatial_erasing.cohorts import read_split, write_rows
from spatial_erasing.evaluate.counts import save_counts
from spatial_erasing.evaluate.dataset import METRIC_COLUMNS, SUBJECT_COLUMNS, evaluate
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.jobs.results import read_json
from spatial_erasing.score.maps import Scoring, load_stored

log_to(snakemake.log[0])

files, names = snakemake.input, dict(snakemake.wildcards.items())
scoring = Scoring(**snakemake.params.scoring)
threshold = read_json(files.threshold, keys=["threshold", "dice"])
scans = read_split([files.volumes], files.splits, split="test", sequence=names["sequence"])
stored = load_stored(files.score, scans, scoring)
found = evaluate(scans, stored, scoring=scoring, names=names, threshold=threshold)
write_rows(snakemake.output.metrics, found.metrics, columns=METRIC_COLUMNS)
write_rows(snakemake.output.subjects, found.subjects, columns=SUBJECT_COLUMNS)
save_counts(snakemake.output.counts, found.counts, threshold=threshold["threshold"])
np.savez(snakemake.output.slices, score=found.slices, abnormal=scans.lesion_slices)
