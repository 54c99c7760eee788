"""Rule plot_figure_7: input, output, difference, heat map and truth of example test subjects."""

from spatial_erasing.cohorts import voxel_size_mm
from spatial_erasing.logs import log_to
from spatial_erasing.report.figure_examples import figure_examples
from spatial_erasing.report.style import save_figure
from spatial_erasing.report.write import read_examples

log_to(snakemake.log[0])

examples = read_examples(
    snakemake.input.subjects,
    snakemake.input.volumes,
    snakemake.input.scores,
    model=snakemake.params.model,
    percentiles=tuple(snakemake.params.percentiles),
    post_processing={
        "erosion_iterations": snakemake.params.erosion_iterations,
        "median_size_voxels": snakemake.params.median_size_voxels,
    },
)
edges_mm = voxel_size_mm(snakemake.input.volumes[0])
figure = figure_examples(examples, voxel_size_mm=edges_mm)
for path in snakemake.output:
    save_figure(figure, path)
