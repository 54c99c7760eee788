"""Rule plot_figure_2: the 2-D and the 3-D network of this study, layer by layer."""

import torch

from spatial_erasing.jobs.logs import log_to
from spatial_erasing.report.figure_architecture import figure_architecture
from spatial_erasing.report.style import save_figure
from spatial_erasing.train.start import make_network

log_to(snakemake.log[0])

networks = [
    make_network(
        dims,
        tuple(snakemake.params.grid_voxels),
        values=snakemake.params.network,
        seed=0,
        device=torch.device("meta"),
    )
    for dims in (2, 3)
]
figure = figure_architecture(networks)
for path in snakemake.output:
    save_figure(figure, path)
