"""Rule resample_metrics: every metric on every resample of the test subjects, and the intervals."""

from pathlib import Path

from spatial_erasing.cohorts import write_rows
from spatial_erasing.evaluate.bootstrap import IntervalRule
from spatial_erasing.evaluate.resamples import (
    INTERVAL_COLUMNS,
    Resampling,
    interval_rows,
    resample_study,
    save_resamples,
)
from spatial_erasing.jobs.logs import log_to

log_to(snakemake.log[0])

found = resample_study(
    [Path(path).parent for path in snakemake.input.counts],
    sequence=snakemake.params.sequence,
    resampling=Resampling(
        samples=snakemake.params.samples,
        seed=snakemake.params.seed,
        size_percentiles=tuple(snakemake.params.size_percentiles),
    ),
    workers=snakemake.threads,
)
save_resamples(snakemake.output.resamples, found)
rows = interval_rows(found, IntervalRule(**snakemake.params.intervals))
write_rows(snakemake.output.intervals, rows, columns=INTERVAL_COLUMNS)
