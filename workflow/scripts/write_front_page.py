"""Rule write_front_page: the study, its data and its results on one page."""

from datetime import date
from pathlib import Path

from spatial_erasing.cohorts import read_rows
from spatial_erasing.evaluate.contrasts import Naming
from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.jobs.provenance import code_version
from spatial_erasing.models import methods_of_paper, read_methods
from spatial_erasing.report.claims_page import printed_claims
from spatial_erasing.report.front_page import count_subjects, front_page
from spatial_erasing.report.tables import read_table, table_1

log_to(snakemake.log[0])

table = table_1(
    read_table(snakemake.input.metrics),
    methods=read_methods(snakemake.params.methods),
    **{name: snakemake.params[name] for name in ("cohorts", "sequence")},
    intervals=read_table(snakemake.input.intervals),
)
claims = printed_claims(
    *(read_rows(snakemake.input[name]) for name in ("claims", "comparisons")),
    naming=Naming(methods_of_paper(read_methods(snakemake.params.paper_methods))),
    paper_cohorts=snakemake.params.cohorts,
)
figure = snakemake.input.figure
study = {
    "title": snakemake.params.title,
    "sequence": snakemake.params.title_of_sequence,
    "date": date.today().isoformat(),
    "code": code_version(),
    "networks": len({row["model"] for row in snakemake.params.methods if not row["baseline"]}),
    "grid": " × ".join(map(str, snakemake.params.grid_voxels)),
    "figure": Path(figure).stem.replace("_", " ").capitalize(),
}
counts = count_subjects(read_rows(snakemake.input.cohort_subjects))
write_text(snakemake.output[0], front_page(table, claims, counts=counts, figure=figure, study=study))
