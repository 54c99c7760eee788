"""Rule judge_claims: the paper's claims, judged on this run."""

from spatial_erasing.cohorts import read_rows, write_rows
from spatial_erasing.evaluate.bootstrap import IntervalRule
from spatial_erasing.evaluate.contrasts import Naming
from spatial_erasing.evaluate.resamples import load_resamples
from spatial_erasing.evaluate.verdicts import (
    CLAIM_COLUMNS,
    COMPARISON_COLUMNS,
    judge_claims,
    read_subject_dice,
)
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.models import methods_of_paper, read_methods

log_to(snakemake.log[0])

comparisons, claims = judge_claims(
    load_resamples(snakemake.input.resamples),
    read_subject_dice(
        read_rows(snakemake.input.subjects), size_percentiles=tuple(snakemake.params.size_percentiles)
    ),
    naming=Naming(methods_of_paper(read_methods(snakemake.params.methods)), snakemake.params.sequence),
    cohorts=snakemake.params.cohorts,
    rule=IntervalRule(**snakemake.params.intervals),
    seed=snakemake.params.seed,
)
write_rows(snakemake.output.comparisons, comparisons, columns=COMPARISON_COLUMNS)
write_rows(snakemake.output.claims, claims, columns=CLAIM_COLUMNS)
