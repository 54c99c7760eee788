"""Rule plot_figure_7: input, output, difference, heat map and truth of example test subjects."""

from spatial_erasing.evaluate.examples import load_examples
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.jobs.results import read_json
from spatial_erasing.report.figure_examples import figure_examples
from spatial_erasing.report.style import save_figure

log_to(snakemake.log[0])

sizes_mm = read_json(snakemake.input.voxel_sizes_mm)
figure = figure_examples(
    load_examples(snakemake.input.examples), voxel_size_mm=sizes_mm[snakemake.params.cohort]
)
for path in snakemake.output:
    save_figure(figure, path)
