"""Rule collect_histories: the learning curves of all models in one table."""

from pathlib import Path

from spatial_erasing.cohorts import read_rows, write_rows
from spatial_erasing.jobs.logs import log_to

log_to(snakemake.log[0])

rows = [{"model": Path(path).parents[2].name} | row for path in snakemake.input for row in read_rows(path)]
columns = dict.fromkeys(name for row in rows for name in row)
write_rows(snakemake.output[0], rows, columns=columns)
