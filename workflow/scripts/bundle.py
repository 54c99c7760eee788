"""Rule bundle: the example model of the study in one file."""

from pathlib import Path

from spatial_erasing.apply.export import write_bundle
from spatial_erasing.apply.run_folder import RunFolder
from spatial_erasing.jobs.logs import log_to

log_to(snakemake.log[0])

config = snakemake.params.config
seeds = tuple(config["study"]["seeds"])
folder = RunFolder(Path("results"), config, (snakemake.params.method,), seeds)
write_bundle(folder, snakemake.output[0])
