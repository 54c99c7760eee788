"""Rule reconstruct_scans: what a trained network makes of the scans of each split."""

import numpy as np
import torch

from spatial_erasing.atomic import replaced_when_complete
from spatial_erasing.cohorts import read_split
from spatial_erasing.logs import log_to
from spatial_erasing.maker import describe_maker
from spatial_erasing.score.reconstruct import reconstruct
from spatial_erasing.train.checkpoint import load_network
from spatial_erasing.train.device import choose_device, device_name, prepare_process
from spatial_erasing.train.settings import ComputeSettings

log_to(snakemake.log[0])

torch.set_num_threads(snakemake.threads)
prepare_process(ComputeSettings(**snakemake.params.computing))
device = choose_device(snakemake.params.device)
network = load_network(snakemake.input.weights, device)
for split, path in snakemake.output.items():
    scans = read_split(
        [snakemake.input.volumes],
        snakemake.input.splits,
        split=split,
        sequence=snakemake.wildcards.sequence,
    )
    with replaced_when_complete(path) as unfinished:
        np.savez(
            unfinished,
            subject=[subject for _, subject in scans.subjects],
            reconstruction=reconstruct(network, scans.scans, batch_size=snakemake.params.batch_size),
            made_by=describe_maker(snakemake.params.code, device=device_name(device)),
        )
