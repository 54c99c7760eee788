"""Rule train_vae: train one model on healthy scans, going on where a kill left off."""

from pathlib import Path
from shutil import rmtree

from spatial_erasing.cohorts import read_split, write_rows
from spatial_erasing.logs import log_to
from spatial_erasing.models import parse_model
from spatial_erasing.train.checkpoint import save_weights
from spatial_erasing.train.device import choose_device
from spatial_erasing.train.start import checkpoint_folder, make_trainer

log_to(snakemake.log[0])

seed, percent = int(snakemake.wildcards.seed), int(snakemake.wildcards.percent)
trainer = make_trainer(
    parse_model(snakemake.wildcards.model),
    read_split(snakemake.input.volumes, snakemake.input.splits, split="training", fraction_percent=percent),
    read_split(snakemake.input.volumes, snakemake.input.splits, split="validation"),
    network=snakemake.params.network,
    erasing=snakemake.params.erasing,
    optimisation=snakemake.params.optimisation,
    device=choose_device(snakemake.params.device),
    seed=seed,
    threads=snakemake.threads,
)
checkpoint = checkpoint_folder(trainer, Path(snakemake.output.weights).parent, code=snakemake.params.code)
best_weights = trainer.run(seed=seed, checkpoint=checkpoint / "latest.pt")

write_rows(snakemake.output.history, trainer.progress.history, columns=trainer.progress.history[0])
save_weights(Path(snakemake.output.weights), trainer.network, best_weights)
rmtree(checkpoint)
