"""Rule write_viewer: the examples of Figure 7 in a page where the threshold can be moved."""

import json
from pathlib import Path

from spatial_erasing.atomic import replaced_when_complete
from spatial_erasing.cohorts import voxel_size_mm
from spatial_erasing.logs import log_to
from spatial_erasing.models import paper_name
from spatial_erasing.report.viewer import viewer_page
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
thresholds = [json.loads(Path(path).read_text())["threshold"] for path in snakemake.input.thresholds]
page = viewer_page(
    examples,
    thresholds=dict(zip(snakemake.params.cohorts, thresholds, strict=True)),
    voxel_size_mm=voxel_size_mm(snakemake.input.volumes[0]),
    caption=f"Test subjects of Figure 7: scan, score map of {paper_name(snakemake.params.model)} and lesion.",
)
with replaced_when_complete(snakemake.output[0]) as unfinished:
    unfinished.write_text(page, encoding="utf-8")
