"""Rule collect_cohorts: data for tables and figures: subjects, voxel sizes, an example."""

import json
from pathlib import Path

import numpy as np

from spatial_erasing.cohorts import read_rows, read_split, voxel_size_mm, write_rows
from spatial_erasing.jobs.atomic import replaced_when_complete, write_text
from spatial_erasing.jobs.logs import log_to

log_to(snakemake.log[0])

volumes = {Path(path).parent.name: path for path in snakemake.input.volumes}
places = {(row["cohort"], row["subject"]): row for row in read_rows(snakemake.input.splits)}
subjects = [row for path in snakemake.input.manifests for row in read_rows(path)]
write_rows(
    snakemake.output.subjects,
    [places[row["cohort"], row["subject"]] | row for row in subjects],
    columns=("cohort", "subject", "split", "training_rank", "status", "lesion_ml", "lesion_downsampled_ml"),
)
sizes_mm = {cohort: voxel_size_mm(path) for cohort, path in volumes.items()}
write_text(snakemake.output.voxel_sizes, json.dumps(sizes_mm, indent=1) + "\n")
healthy = [volumes[cohort] for cohort in snakemake.params.healthy_cohorts]
scans = read_split(healthy, snakemake.input.splits, split="validation", sequence=snakemake.params.sequence)
with replaced_when_complete(snakemake.output.healthy_example) as unfinished:
    np.savez_compressed(unfinished, scan=scans.scans[0], brain=scans.brain[0])
