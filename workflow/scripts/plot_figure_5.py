"""Rule plot_figure_5: AUPRC over the fraction of training data."""

from spatial_erasing.cohorts import read_rows
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.models import read_methods
from spatial_erasing.report.estimates import Intervals
from spatial_erasing.report.figure_data_size import count_training_subjects, figure_data_size
from spatial_erasing.report.style import save_figure
from spatial_erasing.report.tables import read_table

log_to(snakemake.log[0])

sequence = snakemake.params.sequence
intervals = read_table(snakemake.input.intervals, sequence=sequence)
figure = figure_data_size(
    Intervals(intervals, snakemake.params.confidence_percent),
    methods=read_methods(snakemake.params.methods),
    cohorts=snakemake.params.cohorts,
    training_subjects=count_training_subjects(
        read_rows(snakemake.input.cohort_subjects), percents=snakemake.params.percents
    ),
)
for path in snakemake.output:
    save_figure(figure, path)
