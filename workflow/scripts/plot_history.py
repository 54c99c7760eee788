"""Rule plot_history: training and validation loss of every model."""

from pathlib import Path

import pandas as pd

from spatial_erasing.logs import log_to
from spatial_erasing.report.figure_history import figure_history
from spatial_erasing.report.style import save_figure

log_to(snakemake.log[0])

histories = {Path(path).parents[2].name: pd.read_csv(path) for path in snakemake.input}
figure = figure_history(histories)
for path in snakemake.output:
    save_figure(figure, path)
