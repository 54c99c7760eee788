"""Rule train_vae: train one model on healthy scans, going on where a kill left off."""

from pathlib import Path
from shutil import rmtree

import torch

from spatial_erasing.cohorts import read_split, write_rows
from spatial_erasing.logs import log_to
from spatial_erasing.models import parse_model
from spatial_erasing.train.checkpoint import save_weights
from spatial_erasing.train.device import choose_device
from spatial_erasing.train.start import checkpoint_folder, make_network, make_trainer

log_to(snakemake.log[0])

torch.set_num_threads(snakemake.threads)
model, seed = parse_model(snakemake.wildcards.model), int(snakemake.wildcards.seed)
percent, files = int(snakemake.wildcards.percent), (snakemake.input.volumes, snakemake.input.splits)
training = read_split(*files, split="training", fraction_percent=percent)
network = make_network(
    model,
    training.scans.shape[1:],
    values=snakemake.params.network,
    seed=seed,
    device=choose_device(snakemake.params.device),
)
trainer = make_trainer(
    model,
    network,
    training,
    read_split(*files, split="validation"),
    erasing=snakemake.params.erasing,
    optimisation=snakemake.params.optimisation,
)
checkpoint = checkpoint_folder(trainer, Path(snakemake.output.weights).parent, code=snakemake.params.code)
best_weights = trainer.run(seed=seed, checkpoint=checkpoint / "latest.pt")
write_rows(snakemake.output.history, trainer.progress.history, columns=trainer.progress.history[0])
save_weights(Path(snakemake.output.weights), network, best_weights)
rmtree(checkpoint)
