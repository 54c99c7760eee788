"""The config files as written, before they are merged: a duplicate key is an error."""

from snakemake.exceptions import WorkflowError

from spatial_erasing.study import check_config_files
from spatial_erasing.jobs.provenance import ROOT

if IS_MAIN:
    try:
        check_config_files([ROOT / "config.yaml", *overlays()])
    except ValueError as error:
        raise WorkflowError(str(error)) from None
