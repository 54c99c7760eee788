"""Rule plot_figure_4: subject-wise Dice over lesion size."""

import numpy as np

from spatial_erasing.jobs.logs import log_to
from spatial_erasing.jobs.results import read_json
from spatial_erasing.models import read_methods
from spatial_erasing.report.figure_lesion_size import figure_lesion_size
from spatial_erasing.report.style import save_figure
from spatial_erasing.report.tables import read_table

log_to(snakemake.log[0])

sizes_mm = read_json(snakemake.input.voxel_sizes_mm)
figure = figure_lesion_size(
    read_table(snakemake.input.subjects, sequence=snakemake.params.sequence),
    methods=read_methods(snakemake.params.methods),
    voxel_ml={cohort: float(np.prod(size_mm)) / 1000 for cohort, size_mm in sizes_mm.items()},
)
for path in snakemake.output:
    save_figure(figure, path)
