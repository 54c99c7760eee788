"""Rule prepare_brains: the brains of one batch of subjects, and a manifest row for each."""

from pathlib import Path

from spatial_erasing.cohorts import read_rows, write_rows
from spatial_erasing.logs import log_to
from spatial_erasing.preprocess.batch import prepare_batch, subjects_of_batch
from spatial_erasing.preprocess.chain import BrainSettings
from spatial_erasing.preprocess.subject import COLUMNS

log_to(snakemake.log[0])

rows = prepare_batch(
    subjects_of_batch(
        read_rows(snakemake.input[0]),
        batch=int(snakemake.wildcards.batch),
        batches=snakemake.params.batches,
    ),
    folder=Path(snakemake.output[0]).parent / "subjects",
    settings=BrainSettings(
        spacing_mm=snakemake.params.spacing_mm,
        denoise_time_step=snakemake.params.denoise_time_step,
        denoise_iterations=snakemake.params.denoise_iterations,
        lower_percentile=snakemake.params.lower_percentile,
        upper_percentile=snakemake.params.upper_percentile,
        brain_range_ml=tuple(snakemake.params.brain_range_ml),
    ),
    code=snakemake.params.code,
    cores=snakemake.threads,
)
write_rows(snakemake.output[0], rows, columns=COLUMNS)
