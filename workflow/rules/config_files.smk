"""The config files as they are written, before anything is merged: a key that stands twice is an error."""

import os

from snakemake.exceptions import WorkflowError

from spatial_erasing.config_files import check_config_files
from spatial_erasing.provenance import ROOT

# Snakemake puts the Snakefile's folder first on its own path, but last on the path of a script, behind a
# library that is installed from elsewhere: a job would run other code than its fingerprint names. Jobs inherit
# this instead, on a cluster through their own Snakemake. In conda environments, which hide it, nothing is installed.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
)

# a job reads the files that its Snakemake has checked
if workflow.is_main_process:
    try:
        check_config_files([ROOT / "config.yaml", *workflow.overwrite_configfiles])
    except ValueError as error:
        raise WorkflowError(str(error)) from None
