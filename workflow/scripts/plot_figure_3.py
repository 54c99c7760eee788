"""Rule plot_figure_3: every erasing strategy on one healthy validation scan."""

from spatial_erasing.jobs.logs import log_to
from spatial_erasing.jobs.results import open_arrays, read_json
from spatial_erasing.models import read_methods
from spatial_erasing.report.figure_erasing import figure_erasing
from spatial_erasing.report.style import save_figure
from spatial_erasing.train.erase import erased_examples
from spatial_erasing.train.settings import ErasingSettings

log_to(snakemake.log[0])

sizes_mm = read_json(snakemake.input.voxel_sizes_mm)
with open_arrays(snakemake.input.healthy_example) as example:
    volume, volumes, slices, slice_index = erased_examples(
        **example,
        methods=read_methods(snakemake.params.methods),
        settings=ErasingSettings(**snakemake.params.erasing),
        seed=snakemake.params.seed,
    )
figure = figure_erasing(
    volume, volumes, slices, slice_index=slice_index, voxel_size_mm=sizes_mm[snakemake.params.cohort]
)
for path in snakemake.output:
    save_figure(figure, path)
