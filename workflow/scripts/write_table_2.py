"""Rule write_table_2: Table 2 as CSV, Markdown and LaTeX."""

from spatial_erasing.jobs.logs import log_to
from spatial_erasing.models import read_methods
from spatial_erasing.report.table_layout import write_table
from spatial_erasing.report.tables import read_table, table_2

log_to(snakemake.log[0])

table = table_2(
    read_table(snakemake.input.metrics),
    methods=read_methods(snakemake.params.methods),
    cohorts=snakemake.params.cohorts,
    sequences=snakemake.params.sequences,
    intervals=read_table(snakemake.input.intervals),
)
first, *others = snakemake.params.sequences.values()
write_table(
    table,
    snakemake.output,
    title=(
        f"{snakemake.params.title}. Table 2: models trained on {first}, tested on "
        f"{' and '.join([', '.join([first, *others[:-1]]), others[-1]])}"
    ),
    grid=tuple(snakemake.params.grid_voxels),
    borrowed=snakemake.params.borrowed,
)
