"""Rule write_claims: the claims of the paper with the verdicts of this run."""

from spatial_erasing.cohorts import read_rows, write_rows
from spatial_erasing.evaluate.contrasts import Naming
from spatial_erasing.evaluate.verdicts import CLAIM_COLUMNS
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.models import methods_of_paper, read_methods
from spatial_erasing.report.claims_page import (
    PAPER_COLUMNS,
    claims_notes,
    printed_claims,
    rows_with_paper,
    write_claims,
)

log_to(snakemake.log[0])

rows = read_rows(snakemake.input.claims)
naming = Naming(methods_of_paper(read_methods(snakemake.params.methods)))
claims = printed_claims(
    rows,
    read_rows(snakemake.input.comparisons),
    naming=naming,
    paper_cohorts=snakemake.params.paper_cohorts,
)
caption = f"{snakemake.params.title}. What the paper concludes, and what this run says about it."
notes = claims_notes(
    samples=snakemake.params.samples,
    **snakemake.params.intervals,
    size_percentiles=tuple(snakemake.params.size_percentiles),
)
write_rows(snakemake.output.csv, rows_with_paper(rows, naming), columns=(*CLAIM_COLUMNS, *PAPER_COLUMNS))
write_claims(claims, snakemake.output.md, snakemake.output.html, caption=caption, notes=notes)
