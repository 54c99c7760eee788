"""Rule write_rivals: every method with more metrics than Table 1, and paired differences."""

import pandas as pd

from spatial_erasing.evaluate.bootstrap import IntervalRule
from spatial_erasing.evaluate.resamples import load_resamples
from spatial_erasing.jobs.logs import log_to
from spatial_erasing.models import read_methods
from spatial_erasing.report.rivals import Evidence, rival_blocks, rival_numbers, subjects_of_tests
from spatial_erasing.report.table_layout import write_blocks
from spatial_erasing.report.tables import read_table
from spatial_erasing.report.templates import fill_template

log_to(snakemake.log[0])

files, params = snakemake.input, snakemake.params
metrics = pd.concat(read_table(path, sequence=params.sequence) for path in (files.metrics, *files.detections))
metrics = metrics[metrics["fraction_percent"] == 100]
rule = IntervalRule(**params.intervals)
evidence = Evidence(metrics, load_resamples(files.resamples), params.sequence, rule)
shown = {"methods": read_methods(params.methods), "references": params.references}
numbers = rival_numbers(evidence, cohorts=params.cohorts, **shown)
numbers.to_csv(snakemake.output.csv, index=False, float_format="%.8g")
blocks = rival_blocks(numbers, subjects=subjects_of_tests(metrics), **shown)
notes = fill_template(
    "rivals_notes.txt",
    connectivity=params.connectivity,
    confidence_percent=rule.confidence_percent,
    seeds=metrics["seed"].nunique(),
    samples=params.samples,
).splitlines()
caption = f"{params.title}. Every method: score, network and baseline under one protocol."
write_blocks(blocks, snakemake.output, caption=caption, footnotes=notes)
