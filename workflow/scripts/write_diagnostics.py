"""Rule write_diagnostics: tables of the diagnostics."""

from spatial_erasing.cohorts import read_rows, rows_by_cohort
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.report import diagnostics_page as beside
from spatial_erasing.report.front_page import count_subjects
from spatial_erasing.report.tables import read_table

log_to(snakemake.log[0])

titles = {"model": {method["name"]: method["title"] for method in snakemake.params.methods}}
diagnostics = read_table(snakemake.input.diagnostics).replace(titles)
components = read_table(snakemake.input.components)
subjects = read_rows(snakemake.input.cohort_subjects)
subjects = [row for row in subjects if row["cohort"] in snakemake.params.cohorts]
counts = count_subjects(subjects)
limits = beside.size_limits(components, snakemake.params.size_percentiles)
detection = beside.detection_by_size(
    components, limits=limits, volumes={cohort.cohort: cohort.splits.get("test", 0) for cohort in counts}
)
detection.to_csv(snakemake.output.csv, index=False)
sections = [
    beside.threshold_section(diagnostics, protocol=snakemake.params.protocol),
    beside.post_processing_section(diagnostics),
    beside.transfer_section(diagnostics, protocol=snakemake.params.protocol),
    beside.lesion_section(detection.replace(titles), limits=limits, rule=snakemake.params.components),
    beside.vanished_section(rows_by_cohort(subjects)),
]
beside.write_sections(sections, markdown=snakemake.output.md, page=snakemake.output.html)
