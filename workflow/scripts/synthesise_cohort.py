"""Rule synthesise_cohort: phantoms directly on the networks' grid, as if preprocessed."""

import numpy as np

from spatial_erasing.cohorts import write_rows
from spatial_erasing.ingest.scans import COLUMNS
from spatial_erasing.jobs.atomic import replaced_when_complete
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.jobs.parallel import worker_count
from spatial_erasing.jobs.provenance import describe_maker
from spatial_erasing.preprocess.geometry import write_chains
from spatial_erasing.preprocess.stack import MANIFEST_COLUMNS
from spatial_erasing_phantoms.mni152 import load_template
from spatial_erasing_phantoms.small import SmallSettings, make_small_cohort

log_to(snakemake.log[0])

cohort, params = snakemake.wildcards.cohort, snakemake.params
arrays, rows = make_small_cohort(
    params.cohort["kind"],
    subjects=params.cohort["subjects"],
    settings=SmallSettings(**params.settings),
    template=load_template(3.0),
    workers=worker_count(snakemake.threads, memory_mb_per_worker=600),
)
found = [
    {"cohort": cohort, "sequence": sequence, **row, "status": "found"}
    for row in rows
    for sequence in params.sequences
]
write_rows(snakemake.output.scans, found, columns=COLUMNS)
manifest = [{"cohort": cohort, **row} for row in rows]
write_rows(snakemake.output.manifest, manifest, columns=MANIFEST_COLUMNS)
write_chains(snakemake.output.geometry, {})  # there is no scan to return to
with replaced_when_complete(snakemake.output.volumes) as unfinished:
    np.savez(unfinished, **arrays, made_by=describe_maker(params.code))
