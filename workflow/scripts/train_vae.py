"""Rule train_vae: train one model on healthy scans, going on where a kill left off."""

from pathlib import Path
from shutil import rmtree

import torch

from spatial_erasing.cohorts import read_split, write_rows
from spatial_erasing.logs import log_to
from spatial_erasing.models import parse_model
from spatial_erasing.tensorboard import CurveWriter
from spatial_erasing.train.checkpoint import save_weights
from spatial_erasing.train.device import choose_computing, choose_device, prepare_process
from spatial_erasing.train.start import checkpoint_folder, make_network, make_trainer, training_settings

log_to(snakemake.log[0])

torch.set_num_threads(snakemake.threads)
params, seed = snakemake.params, int(snakemake.wildcards.seed)
model, percent = parse_model(snakemake.wildcards.model), int(snakemake.wildcards.percent)
device = choose_device(params.device, trainings_per_gpu=snakemake.resources.trainings_per_gpu)
computing = choose_computing(device, **params.computing)
prepare_process(computing)
files = snakemake.input.volumes, snakemake.input.splits
training = read_split(*files, split="training", fraction_percent=percent)
validation = read_split(*files, split="validation")
grid_voxels = training.scans.shape[1:]
network = make_network(model, grid_voxels, values=params.network, seed=seed, device=device)
settings = training_settings(model, values=params.training, computing=computing, seed=seed)
trainer = make_trainer(network, training, validation, settings)
checkpoint = checkpoint_folder(trainer, Path(snakemake.output.weights).parent, code=params.code)
name = f"{model.name}-{percent}-{seed}/{checkpoint.name.removeprefix('checkpoint-')}"
curves = CurveWriter(f"results/logs/tensorboard/{name}")
best_weights = trainer.run(checkpoint=checkpoint / "latest.pt", observe=curves)
progress = trainer.progress
write_rows(snakemake.output.history, progress.history, columns=progress.history[0])
latent = [{"dimension": place, "kl": kl} for place, kl in enumerate(progress.best_kl)]
write_rows(snakemake.output.latent, latent, columns=["dimension", "kl"])
save_weights(Path(snakemake.output.weights), network, best_weights, code=params.code)
rmtree(checkpoint)
