"""Rule detect_lesions: FROC of one run on one data set, millilitres marked in healthy scans, and cost."""

import csv
from pathlib import Path

import numpy as np

from spatial_erasing.cohorts import read_rows, voxel_size_mm, write_rows
from spatial_erasing.evaluate.components import sensitivities, timed_marks
from spatial_erasing.evaluate.counts import anomaly_mask
from spatial_erasing.evaluate.dataset import METRIC_COLUMNS, RUN_COLUMNS
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.jobs.results import read_json
from spatial_erasing.score.maps import Scoring, read_score_maps

log_to(snakemake.log[0])

files, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
scoring = {"sequence": wildcards.sequence, "scoring": Scoring(**params.scoring)}
scans, maps = read_score_maps((files.volumes, files.splits, files.score), split="test", **scoring)
marks, seconds = timed_marks(maps, scans.lesion, connectivity=params.connectivity)
threshold = read_json(files.threshold, keys=["threshold"])["threshold"]
marked_ml = []
for volumes, score in zip(files.healthy, files.healthy_scores, strict=True):
    voxel_ml = np.prod(voxel_size_mm(volumes)) / 1000
    _, maps = read_score_maps((volumes, files.healthy_splits, score), split="validation", **scoring)
    marked_ml += [voxel_ml * anomaly_mask(score_map, threshold).sum() for score_map in maps]
metrics = sensitivities(marks) | {"healthy_marked_ml": np.mean(marked_ml)}
if Path(params.cost).exists():
    stored = sum(row["split"] in ("validation", "test") for row in read_rows(files.splits))
    with Path(params.cost).open(encoding="utf-8") as stream:
        job = float(next(csv.DictReader(stream, delimiter="\t"))["s"])
    metrics["seconds_a_scan"] = job / stored + seconds
names = (wildcards[name] for name in ("method", "percent", "seed", "cohort", "sequence"))
run = dict(zip(RUN_COLUMNS, names, strict=True))
rows = [run | {"metric": metric, "value": value} for metric, value in metrics.items()]
write_rows(snakemake.output[0], rows, columns=METRIC_COLUMNS)
