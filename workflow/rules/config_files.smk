"""The config files as they are written, before anything is merged: a key that stands twice is an error."""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(workflow.basedir))

from spatial_erasing.config_files import check_config_files

# a job reads the files that its Snakemake has checked
if workflow.is_main_process:
    try:
        check_config_files(
            [Path(workflow.basedir, "config.yaml"), *workflow.overwrite_configfiles]
        )
    except ValueError as error:
        raise WorkflowError(str(error)) from None
