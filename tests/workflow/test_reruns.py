"""A finished study of which nothing runs again: times do not count where contents can be compared."""

import os
import shutil
import subprocess
from dataclasses import replace

import pytest


def comment_everywhere(study, tmp_path):
    """A remark in every file of Python."""
    for folder in ("spatial_erasing", "spatial_erasing_phantoms", "workflow/scripts"):
        for module in (study.workflow / folder).rglob("*.py"):
            module.write_text(module.read_text() + "\n# a remark\n")
    return study


def other_messages(study, tmp_path):
    """Other words in a line of a log and in an error of modules that every training needs."""
    edits = {
        "jobs/locks.py": ("all of %d GPUs are held", "every one of %d GPUs is held"),
        "cohorts.py": ("is not one of the", "is none of the"),
    }
    for name, (old, new) in edits.items():
        module = study.workflow / "spatial_erasing" / name
        text = module.read_text()
        assert old in text
        module.write_text(text.replace(old, new))
    return study


def clone_anew(study, tmp_path):
    """A fresh clone of the same version, in another place."""
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@b.c", "-C", str(study.workflow)]
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "All"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run(["git", "clone", "--quiet", str(study.workflow), str(tmp_path / "clone")], check=True)
    return replace(study, workflow=tmp_path / "clone")


def check_out_there_and_back(study, tmp_path):
    """What `git checkout` of another version and back leaves: the same content, written now."""
    for path in study.workflow.rglob("*"):
        os.utime(path)
    return study


def copy_without_times(study, tmp_path):
    """`cp -r`: every file is written anew, in the order of the folder; newest first is the worst one."""
    for path in sorted(filter(os.path.isfile, study.folder.rglob("*")), key=os.path.getmtime, reverse=True):
        copied = tmp_path / "copied" / path.relative_to(study.folder)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
    return replace(study, folder=tmp_path / "copied")


CHANGES = (
    comment_everywhere,
    other_messages,
    clone_anew,
    check_out_there_and_back,
    copy_without_times,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_nothing_runs_again(changed, tmp_path, change):
    after = change(changed, tmp_path)
    assert after.planned("--resources", "gpu=1") == {}


@pytest.mark.parametrize("change", [check_out_there_and_back], ids=lambda change: change.__name__)
def test_nothing_runs_again_without_a_profile_either(changed, tmp_path, change):
    assert change(changed, tmp_path).planned("--workflow-profile", "none") == {}


def test_another_caption_writes_the_report_again_and_nothing_else(changed):
    caption = changed.workflow / "workflow/report/figure_2.rst"
    caption.write_text(caption.read_text() + "More.\n")
    assert changed.planned() == {"write_report": 1, "all": 1}


def test_the_content_of_a_file_counts_whenever_it_was_written(changed):
    """The control: another weight of a network is no copy of it."""
    path = next((changed.results / "train").rglob("weights.pt"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "reconstruct_scans" in changed.planned()


def test_the_log_of_a_job_that_runs_again_goes_on(changed):
    log = changed.results / "logs/assign_splits/healthy.log"
    first = log.read_text()
    changed.run("--forcerun", "assign_splits", "--", "results/split/healthy.csv")
    assert log.read_text().startswith(first) and log.read_text().count("the job starts") == 2
