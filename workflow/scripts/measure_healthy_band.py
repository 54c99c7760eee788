"""Rule measure_healthy_band: the quantile curves of the healthy training brains as a band."""

from spatial_erasing.cohorts import read_split
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.preprocess.quality import healthy_band, write_band

log_to(snakemake.log[0])

sequence = snakemake.params.sequence
training = read_split(snakemake.input.volumes, snakemake.input.splits, split="training", sequence=sequence)
write_band(snakemake.output[0], healthy_band(training.scans, training.brain, sequence=sequence))
