"""Rule assess_quality: which subjects of a cohort to look at, as a table and as a page."""

from spatial_erasing.cohorts import read_rows, write_rows
from spatial_erasing.logs import log_to
from spatial_erasing.preprocess.quality import COLUMNS, FlagRule, quality_rows
from spatial_erasing.report.quality_page import write_quality_page

log_to(snakemake.log[0])

rule = FlagRule(
    outside_ml=tuple(snakemake.params.flag_outside_ml),
    beyond_deviations=snakemake.params.flag_beyond_deviations,
)
rows = quality_rows(read_rows(snakemake.input.manifest), rule=rule)
write_rows(snakemake.output.csv, rows, columns=COLUMNS)
write_quality_page(rows, snakemake.output.html, cohort=snakemake.wildcards.cohort, rule=rule)
