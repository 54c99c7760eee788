"""Rule write_viewer: the examples of Figure 7 on a page with a threshold slider."""

from spatial_erasing.evaluate.examples import load_examples
from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.jobs.results import read_json
from spatial_erasing.report.viewer import viewer_page

log_to(snakemake.log[0])

sizes_mm = read_json(snakemake.input.voxel_sizes_mm)
page = viewer_page(
    load_examples(snakemake.input.examples),
    voxel_size_mm=sizes_mm[snakemake.params.cohort],
    caption=f"Test subjects of Figure 7: scan, score map of {snakemake.params.title} and lesion.",
)
write_text(snakemake.output[0], page)
