"""Rule prepare_brains: the brains of one batch of subjects, and a manifest row for each."""

from pathlib import Path

from spatial_erasing.cohorts import read_rows, write_rows
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.preprocess.batch import prepare_batch, subjects_of_batch
from spatial_erasing.preprocess.settings import BrainSettings
from spatial_erasing.preprocess.subject import COLUMNS

log_to(snakemake.log[0])

rows = prepare_batch(
    subjects_of_batch(
        read_rows(snakemake.input[0]),
        batch=int(snakemake.wildcards.batch),
        batches=snakemake.params.batches,
        reference=snakemake.params.sequence,
    ),
    folder=Path(snakemake.output[0]).parent / "subjects",
    settings=BrainSettings(**snakemake.params.settings),
    code=snakemake.params.code,
    cores=snakemake.threads,
    device=snakemake.params.device,
)
write_rows(snakemake.output[0], rows, columns=COLUMNS)
