"""Rule plot_figure_4: subject-wise Dice over lesion size."""

from pathlib import Path

import numpy as np
import pandas as pd

from spatial_erasing.cohorts import voxel_size_mm
from spatial_erasing.logs import log_to
from spatial_erasing.report.figure_lesion_size import figure_lesion_size
from spatial_erasing.report.style import save_figure

log_to(snakemake.log[0])

figure = figure_lesion_size(
    pd.read_csv(snakemake.input.subjects, dtype={"subject": str}),
    models=snakemake.params.models,
    voxel_ml={
        Path(path).parent.name: float(np.prod(voxel_size_mm(path))) / 1000 for path in snakemake.input.volumes
    },
)
for path in snakemake.output:
    save_figure(figure, path)
