"""Rule plot_history: training and validation loss of every model."""

from spatial_erasing.jobs.logs import log_to
from spatial_erasing.models import read_methods
from spatial_erasing.report.figure_history import figure_history
from spatial_erasing.report.style import save_figure
from spatial_erasing.report.tables import read_table

log_to(snakemake.log[0])

histories = dict(iter(read_table(snakemake.input[0]).groupby("model", sort=False)))
figure = figure_history(histories, methods=read_methods(snakemake.params.methods))
for path in snakemake.output:
    save_figure(figure, path)
