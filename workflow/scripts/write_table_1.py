"""Rule write_table_1: Table 1 as CSV, Markdown and LaTeX."""

from spatial_erasing.jobs.logs import log_to
from spatial_erasing.models import read_methods
from spatial_erasing.report.table_layout import write_table
from spatial_erasing.report.tables import read_table, table_1

log_to(snakemake.log[0])

table = table_1(
    read_table(snakemake.input.metrics),
    methods=read_methods(snakemake.params.methods),
    cohorts=snakemake.params.cohorts,
    sequence=snakemake.params.sequence,
    intervals=read_table(snakemake.input.intervals),
)
write_table(
    table,
    snakemake.output,
    title=f"{snakemake.params.title}. Table 1: segmentation with and without erasing",
    grid=tuple(snakemake.params.grid_voxels),
    borrowed=snakemake.params.borrowed,
)
