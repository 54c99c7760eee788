"""Rule train_model: train one model on healthy scans; a killed training resumes."""

from pathlib import Path

import torch

from spatial_erasing.cohorts import read_split, write_rows
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.jobs.tensorboard import CurveWriter
from spatial_erasing.models import ModelSpec
from spatial_erasing.run import Kept, train_model
from spatial_erasing.train.checkpoint import save_weights
from spatial_erasing.train.device import choose_computing, choose_device, prepare_process
from spatial_erasing.train.start import remove_checkpoints, training_settings

log_to(snakemake.log[0])

torch.set_num_threads(snakemake.threads)
params, weights, seed = snakemake.params, Path(snakemake.output.weights), int(snakemake.wildcards.seed)
model, percent = ModelSpec(**params.model), int(snakemake.wildcards.percent)
device = choose_device(params.device, trainings_per_gpu=snakemake.resources.trainings_per_gpu)
computing = choose_computing(device, **params.computing)
prepare_process(computing)
files, name = (snakemake.input.volumes, snakemake.input.splits), f"{model.name}-{percent}-{seed}"
trained = train_model(
    training_settings(model, values=params.training, computing=computing, seed=seed),
    read_split(*files, split="training", sequence=params.sequence, fraction_percent=percent),
    read_split(*files, split="validation", sequence=params.sequence),
    network=params.network,
    device=device,
    kept=Kept(weights.parent, params.code, Path("results/logs/tensorboard", name), CurveWriter),
)
write_rows(snakemake.output.history, trained.history, columns=trained.history[0])
latent = [{"dimension": place, "number": number} for place, number in enumerate(trained.latent)]
write_rows(snakemake.output.latent, latent, columns=["dimension", "number"])
save_weights(weights, trained.network, trained.network.state_dict(), code=params.code)
remove_checkpoints(weights.parent, kept=trained.checkpoint)
