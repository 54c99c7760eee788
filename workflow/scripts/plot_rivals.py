"""Rule plot_rivals: AUPRC of every method on each test set."""

from spatial_erasing.jobs.logs import log_to
from spatial_erasing.models import read_methods
from spatial_erasing.report.figure_rivals import figure_rivals
from spatial_erasing.report.style import save_figure
from spatial_erasing.report.tables import read_table

log_to(snakemake.log[0])

figure = figure_rivals(
    read_table(snakemake.input[0]),
    methods=read_methods(snakemake.params.methods),
    seeds=len(snakemake.params.seeds),
    confidence_percent=snakemake.params.confidence_percent,
)
for path in snakemake.output:
    save_figure(figure, path)
