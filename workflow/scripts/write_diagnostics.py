"""Rule write_diagnostics: tables of the diagnostics."""

from spatial_erasing.cohorts import read_rows, rows_by_cohort
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.report.diagnostics import (
    WARNING,
    detection_by_size,
    lesion_section,
    post_processing_section,
    size_limits,
    threshold_section,
    transfer_section,
    vanished_section,
)
from spatial_erasing.report.front_page import count_subjects
from spatial_erasing.report.tables import read_table
from spatial_erasing.report.templates import write_filled

log_to(snakemake.log[0])

titles = {"model": {method["name"]: method["title"] for method in snakemake.params.methods}}
diagnostics = read_table(snakemake.input.diagnostics).replace(titles)
components = read_table(snakemake.input.components)
subjects = read_rows(snakemake.input.cohort_subjects)
subjects = [row for row in subjects if row["cohort"] in snakemake.params.cohorts]
counts = count_subjects(subjects)
limits = size_limits(components, snakemake.params.size_percentiles)
detection = detection_by_size(
    components, limits=limits, volumes={cohort.cohort: cohort.splits.get("test", 0) for cohort in counts}
)
detection.to_csv(snakemake.output.csv, index=False)
sections = {
    "thresholds": threshold_section(diagnostics, protocol=snakemake.params.protocol),
    "post_processing": post_processing_section(diagnostics),
    "transfer": transfer_section(diagnostics, protocol=snakemake.params.protocol),
    "lesions": lesion_section(detection.replace(titles)),
    "vanished": vanished_section(rows_by_cohort(subjects)),
}
said = {"warning": WARNING, "rule": snakemake.params.components, "limits": limits}
write_filled((snakemake.output.md, snakemake.output.html), "diagnostics", sections=sections, **said)
