"""Rule plot_curves: the learning curves of one model."""

from spatial_erasing.jobs.logs import log_to
from spatial_erasing.report.figure_history import figure_curves
from spatial_erasing.report.style import save_figure
from spatial_erasing.report.tables import read_table

log_to(snakemake.log[0])

model = snakemake.wildcards.model
histories = read_table(snakemake.input[0])
history = histories[histories["model"] == model]
save_figure(figure_curves(history, title=snakemake.params.title), snakemake.output[0])
