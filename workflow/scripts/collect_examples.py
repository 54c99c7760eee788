"""Rule collect_examples: the test subjects of Figure 7 and the viewer."""

from spatial_erasing.cohorts import read_rows
from spatial_erasing.evaluate.examples import examples_of_cohort, save_examples
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.jobs.results import read_json
from spatial_erasing.score.maps import Scoring

log_to(snakemake.log[0])

examples = []
files = snakemake.input
for volumes, reconstructions, scores, subjects, threshold in zip(
    files.volumes, files.reconstructions, files.scores, files.subjects, files.thresholds, strict=True
):
    examples += examples_of_cohort(
        read_rows(subjects),
        (volumes, reconstructions, scores),
        sequence=snakemake.params.sequence,
        percentiles=snakemake.params.percentiles,
        threshold=read_json(threshold, keys=["threshold"])["threshold"],
        scoring=Scoring(**snakemake.params.scoring),
    )
save_examples(snakemake.output[0], examples)
