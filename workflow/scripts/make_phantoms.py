"""Rule make_phantoms: write a synthetic cohort and its table."""

from pathlib import Path

from spatial_erasing.cohorts import write_rows
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.paths import expand_path
from spatial_erasing_phantoms.cohort import PhantomSettings
from spatial_erasing_phantoms.make import make_cohort

log_to(snakemake.log[0])

label_maps = snakemake.params.label_maps
rows = make_cohort(
    snakemake.params.cohort,
    Path(snakemake.output[0]).with_suffix(""),
    seed=snakemake.params.seed,
    settings=PhantomSettings(
        spacing_mm=snakemake.params.spacing_mm,
        scanners=snakemake.params.scanners,
        minimum_lesion_ml=snakemake.params.minimum_lesion_ml,
        label_maps=label_maps and str(expand_path(label_maps, base=Path.cwd())),
    ),
    code=snakemake.params.code,
    cores=snakemake.threads,
)
write_rows(snakemake.output[0], rows, columns=rows[0])
