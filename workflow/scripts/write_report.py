"""Rule write_report: Snakemake's own reporter, on the finished results."""

from spatial_erasing.jobs.logs import log_to
from spatial_erasing.report.reporter import write_page

log_to(snakemake.log[0])

write_page(snakemake.output[0], config=snakemake.params.config)
