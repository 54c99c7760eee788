"""Rule plot_figure_6: slice-wise AUPRC, pooled over all test sets."""

from spatial_erasing.jobs.logs import log_to
from spatial_erasing.models import methods_of_paper, read_methods
from spatial_erasing.report.estimates import Intervals
from spatial_erasing.report.figure_slices import Slices, figure_slices
from spatial_erasing.report.paper import paper_slice_auprc
from spatial_erasing.report.style import save_figure
from spatial_erasing.report.tables import read_table

log_to(snakemake.log[0])

methods = read_methods(snakemake.params.methods)
intervals = read_table(snakemake.input.intervals, sequence=snakemake.params.sequence)
figure = figure_slices(
    Intervals(intervals, snakemake.params.confidence_percent),
    Slices.count(dict(zip(snakemake.params.cohorts, snakemake.input.slices, strict=True))),
    methods=methods,
    paper_percent=paper_slice_auprc(snakemake.params.paper_cohorts, methods_of_paper(methods)),
)
for path in snakemake.output:
    save_figure(figure, path)
