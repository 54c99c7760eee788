"""What jobs ask for, on one machine and on a cluster; SLURM itself is in test_slurm_runs.py."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT_MB = 8192
LARGE = "preprocess: {grid_voxels: [256, 256, 256]}"  # so that a cohort needs more than the limit


def memory_by_rule(folder, *arguments):
    """Megabytes that the jobs of each rule of the tiny study would ask for, under a limit of the shell."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--directory", str(folder)]
    (folder / "large.yaml").write_text(LARGE)
    command += ["--configfile", "tests/workflow/tiny.yaml", str(folder / "large.yaml"), *arguments]
    limited = ["bash", "-c", f'ulimit -v {LIMIT_MB * 1024}; exec "$@"', "bash", *command]
    done = subprocess.run(limited, cwd=ROOT, capture_output=True, text=True, check=True)
    found = re.findall(r"rule (\w+):\n(?:    .*\n)*?    resources: .*?\bmem_mb=(\d+)", done.stdout)
    return {rule: max(int(megabytes) for name, megabytes in found if name == rule) for rule, _ in found}


def test_with_a_limit_on_gpus_alone_no_job_asks_for_more_memory_than_there_is(tmp_path):
    found = memory_by_rule(tmp_path, "--cores", "8", "--resources", "gpu=1")
    assert found["stack_cohort"] == found["train_model"] == LIMIT_MB
    assert found["write_table_1"] == 1000  # less than there is: as the rule says


def test_a_limit_that_the_user_gives_counts(tmp_path):
    assert (
        max(memory_by_rule(tmp_path, "--cores", "8", "--resources", "gpu=1", "mem_mb=5000").values()) == 5000
    )


@pytest.mark.long  # needs the executor of requirements-slurm.txt
def test_the_memory_of_the_machine_that_submits_is_no_limit_for_a_cluster(tmp_path):
    assert memory_by_rule(tmp_path, "--workflow-profile", "profiles/slurm")["stack_cohort"] > LIMIT_MB
