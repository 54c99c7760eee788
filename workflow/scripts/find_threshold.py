"""Rule find_threshold: the greedy search on the validation split, its path and the Dice curve."""

import json
from pathlib import Path

from spatial_erasing.cohorts import read_split
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.score.maps import Scoring, load_stored
from spatial_erasing.threshold.search import find_threshold

log_to(snakemake.log[0])

files, scoring = snakemake.input, Scoring(**snakemake.params.scoring)
scans = read_split([files.volumes], files.splits, split="validation", sequence=snakemake.wildcards.sequence)
stored = load_stored(files.score, scans, scoring)
record = find_threshold(scans, stored, scoring=scoring, search=snakemake.params.search)
Path(snakemake.output[0]).write_text(json.dumps(record, indent=1))
