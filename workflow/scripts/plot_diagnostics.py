"""Rule plot_diagnostics: figures of the diagnostics."""

from spatial_erasing.jobs.logs import log_to
from spatial_erasing.jobs.results import open_arrays, read_json
from spatial_erasing.models import read_methods
from spatial_erasing.report.figure_diagnostics import figure_diagnostics
from spatial_erasing.report.style import save_figure
from spatial_erasing.report.tables import read_table

log_to(snakemake.log[0])

searches = read_json(snakemake.input.thresholds)
sequence = snakemake.params.sequence
metrics = read_table(snakemake.input.metrics, sequence=sequence).query("metric == 'prevalence'")
recall_curves = {}
for key, path in zip(snakemake.params.model_and_cohort, snakemake.input.curves, strict=True):
    with open_arrays(path) as arrays:
        recall_curves[tuple(key)] = arrays["recall"], arrays["precision"]
figure = figure_diagnostics(
    read_table(snakemake.input.diagnostics, sequence=sequence),
    read_table(snakemake.input.detection, sequence=sequence),
    methods=read_methods(snakemake.params.methods),
    dice_curves={
        (model, cohort): search for model, of_model in searches.items() for cohort, search in of_model.items()
    },
    recall_curves=recall_curves,
    prevalence=metrics.groupby("cohort")["value"].first().to_dict(),
)
for path in snakemake.output:
    save_figure(figure, path)
