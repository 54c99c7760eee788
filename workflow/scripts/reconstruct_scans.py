"""Rule reconstruct_scans: reconstructions or maps of each split, from a trained network."""

import torch

from spatial_erasing.cohorts import read_split
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.jobs.provenance import describe_maker
from spatial_erasing.run import reconstruct_scans
from spatial_erasing.score.maps import MAP, RECONSTRUCTION, save_stored
from spatial_erasing.train.checkpoint import load_network
from spatial_erasing.train.device import choose_device, device_name, prepare_process
from spatial_erasing.train.settings import ComputeSettings

log_to(snakemake.log[0])

torch.set_num_threads(snakemake.threads)
params, files = snakemake.params, snakemake.input
prepare_process(ComputeSettings(**params.computing))
device = choose_device(params.device, trainings_per_gpu=snakemake.resources.trainings_per_gpu)
network = load_network(files.weights, device)
what, healthy = RECONSTRUCTION, None
if params.score is not None:
    healthy_files = (files.healthy, files.healthy_splits[0])
    what, healthy = MAP, read_split(*healthy_files, split="validation", sequence=params.sequence)
made_by = describe_maker(params.code, device=device_name(device))
for split, path in snakemake.output.items():
    scans = read_split([files.volumes], files.splits, split=split, sequence=snakemake.wildcards.sequence)
    stored = reconstruct_scans(network, scans, healthy, score=params.score, batch_size=params.batch_size)
    save_stored(path, scans, stored, what=what, made_by=made_by)
