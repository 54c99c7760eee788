"""Rule plot_figure_3: every erasing strategy on one healthy validation scan."""

from spatial_erasing.cohorts import read_split, voxel_size_mm
from spatial_erasing.logs import log_to
from spatial_erasing.report.figure_erasing import figure_erasing
from spatial_erasing.report.style import save_figure
from spatial_erasing.train.demonstrate import erased_examples
from spatial_erasing.train.settings import ErasingSettings

log_to(snakemake.log[0])

scans = read_split(snakemake.input.volumes, snakemake.input.splits, split="validation")
volume, volumes, slices, slice_index = erased_examples(
    scans, settings=ErasingSettings(**snakemake.params.erasing), seed=snakemake.params.seed
)
figure = figure_erasing(
    volume,
    volumes,
    slices,
    slice_index=slice_index,
    voxel_size_mm=voxel_size_mm(snakemake.input.volumes[0]),
)
for path in snakemake.output:
    save_figure(figure, path)
