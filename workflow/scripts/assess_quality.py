"""Rule assess_quality: the subjects of a cohort to check, as a table and as a page."""

from spatial_erasing.cohorts import read_rows, write_rows
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.preprocess.quality import COLUMNS, FlagRule, curves_of_cohort, quality_rows, read_band
from spatial_erasing.report.quality_page import Contrast, write_quality_page

log_to(snakemake.log[0])

band = read_band(snakemake.input.band)
curves = curves_of_cohort(snakemake.input.volumes, tuple(snakemake.params.sequences))
rule = FlagRule(
    outside_ml=tuple(snakemake.params.flag_outside_ml),
    beyond_deviations=snakemake.params.flag_beyond_deviations,
    beyond_band=snakemake.params.flag_beyond_band,
)
rows = quality_rows(read_rows(snakemake.input.manifest), rule=rule, curves=curves, band=band)
write_rows(snakemake.output.csv, rows, columns=COLUMNS)
write_quality_page(
    rows,
    snakemake.output.html,
    cohort=snakemake.wildcards.cohort,
    rule=rule,
    contrast=Contrast(curves, band),
)
