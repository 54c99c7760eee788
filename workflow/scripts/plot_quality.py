"""Rule plot_quality: images of every subject of a cohort, several per page."""

from spatial_erasing.cohorts import read_rows, voxel_size_mm
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.jobs.results import open_arrays
from spatial_erasing.preprocess.quality import FlagRule
from spatial_erasing.report.figure_quality import figure_quality
from spatial_erasing.report.style import save_pages

log_to(snakemake.log[0])

with open_arrays(snakemake.input.volumes) as arrays:
    pages = figure_quality(
        read_rows(snakemake.input.quality),
        arrays["subject"].tolist(),
        (arrays[snakemake.params.sequence], arrays["brain"], arrays["lesion"]),
        voxel_size_mm=voxel_size_mm(snakemake.input.volumes),
        rule=FlagRule(
            outside_ml=tuple(snakemake.params.flag_outside_ml),
            beyond_deviations=snakemake.params.flag_beyond_deviations,
            beyond_band=snakemake.params.flag_beyond_band,
        ),
    )
    save_pages(pages, snakemake.output[0])
