"""Rule plant_lesions: real lesion shapes in healthy real scans, and the tables of both cohorts."""

from pathlib import Path

from spatial_erasing.cohorts import write_rows
from spatial_erasing.ingest.scans import list_scans
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.paths import expand_path
from spatial_erasing_phantoms.planted import PlantedSettings, make_planted
from spatial_erasing_phantoms.planted_subject import TRUTH_COLUMNS

log_to(snakemake.log[0])

planted, sequence = snakemake.params.planted, snakemake.params.sequence
scans = list_scans(
    "table", snakemake.input[0], sequences=[sequence], skull_strip="deepbet", cohort="phantom.planted.source"
)
settings = PlantedSettings(
    lesion_masks=expand_path(planted["lesion_masks"], base=Path.cwd()),
    template=expand_path(planted["template"], base=Path.cwd()),
    share=planted["share"],
    seed=planted["seed"],
    minimum_lesion_ml=snakemake.params.minimum_lesion_ml,
)
folder = Path(snakemake.output.planted).parent
healthy, with_lesion, truth = make_planted(
    scans, folder, settings=settings, code=snakemake.params.code, cores=snakemake.threads
)
scan, masks = ("subject", "scanner", sequence), ("brain_mask", "skull_strip")
write_rows(snakemake.output.healthy, healthy, columns=(*scan, *masks))
write_rows(snakemake.output.planted, with_lesion, columns=(*scan, "lesion", *masks))
write_rows(snakemake.output.truth, truth, columns=TRUTH_COLUMNS)
