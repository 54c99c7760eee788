"""Rule learn_landmarks: the standard intensity scale of each sequence, from training subjects alone."""

from pathlib import Path

from spatial_erasing.cohorts import members, read_rows
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.preprocess.standardise.landmarks import learn_scales, write_landmarks

log_to(snakemake.log[0])

training = members(read_rows(snakemake.input.splits), split="training", fraction_percent=100)
rows = [row for path in snakemake.input.batches for row in read_rows(path) if row["status"] == "done"]
scales = learn_scales(
    [Path(row["folder"]) for row in rows if (row["cohort"], row["subject"]) in training],
    sequences=snakemake.params.sequences,
    learned_from=snakemake.params.learned_from,
    percentiles=snakemake.params.percentiles,
    cores=snakemake.threads,
)
write_landmarks(snakemake.output[0], scales)
