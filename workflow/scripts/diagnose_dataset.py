"""Rule diagnose_dataset: diagnostics of one run on one data set, outside the paper's protocol."""

from pathlib import Path

import numpy as np

from spatial_erasing.cohorts import write_rows
from spatial_erasing.evaluate import diagnostics as beside
from spatial_erasing.evaluate.components import COMPONENT_COLUMNS, components_of_split
from spatial_erasing.evaluate.dataset import RUN_COLUMNS
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.jobs.results import read_json
from spatial_erasing.score.maps import Scoring, read_score_maps

log_to(snakemake.log[0])

wildcards, params, rows = snakemake.wildcards, snakemake.params, []
names = (wildcards[name] for name in ("method", "percent", "seed", "cohort", "sequence"))
run = dict(zip(RUN_COLUMNS, names, strict=True))
records = {Path(path).stem: read_json(path, keys=["threshold"]) for path in snakemake.input.thresholds}
thresholds = {dataset: record["threshold"] for dataset, record in records.items()}
threshold = thresholds.pop(params.source)
for variant in beside.variants_of(params.protocol, **params.variants):
    choice = {"sequence": wildcards.sequence, "scoring": Scoring(params.score, variant)}
    splits = {split: snakemake.input.get(split) for split in ("validation", "test")}
    counts = [beside.read_counts(files, split=split, **choice) for split, files in splits.items()]
    rows += beside.diagnose_variant(*counts, variant=variant, search=params.search)
    if variant == params.protocol:
        rows += beside.diagnose_thresholds(*counts, variant=variant, others=thresholds)
        recall, precision = beside.precision_recall_points(counts[1])
test = {"split": "test", "sequence": wildcards.sequence, "scoring": Scoring(params.score, params.protocol)}
scans, maps = read_score_maps(snakemake.input.test, **test)
names = [name for _, name in scans.subjects]
parts = components_of_split(maps, scans.lesion, names, threshold=threshold, rule=params.components)
outputs = snakemake.output
write_rows(outputs.diagnostics, [run | row for row in rows], columns=(*run, *beside.DIAGNOSTIC_COLUMNS))
write_rows(outputs.components, [run | row for row in parts], columns=(*run, *COMPONENT_COLUMNS))
np.savez(outputs.curve, recall=recall, precision=precision)
