"""Rule fetch_archive: a public data set, unpacked, and a record of its source."""

import json
from pathlib import Path

from spatial_erasing.ingest.archive import fetch_archive
from spatial_erasing.jobs.logs import log_to

log_to(snakemake.log[0])

record = fetch_archive(
    snakemake.params.url, Path(snakemake.output[0]).with_suffix(""), sha256=snakemake.params.sha256
)
Path(snakemake.output[0]).write_text(json.dumps(record) + "\n", encoding="utf-8")
