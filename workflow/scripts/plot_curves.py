"""Rule plot_curves: the learning curves of one model."""

from spatial_erasing.logs import log_to
from spatial_erasing.report.figure_curves import figure_curves
from spatial_erasing.report.read import read_table
from spatial_erasing.report.style import save_figure

log_to(snakemake.log[0])

model = snakemake.wildcards.model
histories = read_table(snakemake.input[0])
save_figure(figure_curves(histories[histories["model"] == model], model=model), snakemake.output[0])
