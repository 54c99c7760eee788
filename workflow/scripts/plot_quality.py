"""Rule plot_quality: every subject of a cohort on pages to leaf through."""

import numpy as np

from spatial_erasing.logs import log_to
from spatial_erasing.report.figure_quality import figure_quality
from spatial_erasing.report.style import save_pages

log_to(snakemake.log[0])

with np.load(snakemake.input.volumes) as arrays:
    padded_mm = arrays["padded_grid_voxels"] * snakemake.params.spacing_mm
    pages = figure_quality(
        snakemake.wildcards.cohort,
        arrays["subject"].tolist(),
        (arrays["t1"].astype(np.float32), arrays["brain"], arrays["lesion"]),
        voxel_size_mm=tuple(padded_mm / arrays["t1"].shape[1:]),
    )
save_pages(pages, snakemake.output[0])
