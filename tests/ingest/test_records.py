import os
import subprocess
import sys
from pathlib import Path

import pytest

from spatial_erasing.ingest.records import (
    Scan,
    case_folder,
    find_images,
    folder_entries,
    image_name,
    keep_first_session,
    name_problem,
    natural_order,
    normalised_name,
)


@pytest.mark.parametrize("name", ["BraTS20_Training_001", "sub-01", "患者7", "Zoë", "रोगी-१", "a.b", "_x"])
def test_letters_of_any_script_digits_and_three_signs_make_a_name(name):
    assert name_problem(name) == ""


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a/b",
        "a\\b",
        "..",
        "a..b",
        ".hidden",
        "-rf",
        "a\nb",
        "a'b",
        'a"b',
        "a b",
        "a*",
        "a:b",
        "x" * 129,
        "é" * 65,
    ],
)
def test_a_name_that_is_no_file_name_everywhere_is_refused(name):
    assert name_problem(name)


def test_a_name_typed_on_two_systems_is_one_name():
    decomposed = "Zoe\u0308"
    assert normalised_name(decomposed) == normalised_name("Zoë") == "Zoë"


def sessions(*problems):
    return [[Scan("p", "t1", Path(f"session-{n}"), problem=problem)] for n, problem in enumerate(problems)]


def test_the_first_session_without_a_problem_is_kept_and_the_others_say_why():
    scans = keep_first_session(sessions("no lesion mask: x", "", ""))
    assert [scan.path.name for scan in scans if not scan.problem] == ["session-1"]
    assert scans[0].problem == "no lesion mask: x"
    assert scans[2].problem.startswith("other session: session-2") and "session-1" in scans[2].problem


def test_a_single_session_is_left_as_it_is():
    assert keep_first_session(sessions("")) == sessions("")[0]


def test_images_are_found_in_natural_order_without_hidden_doubles(tmp_path, touch):
    touch(
        tmp_path,
        "b/run-10.nii",
        "b/run-2.nii.gz",
        "a/x.NII.GZ",
        "a/._x.nii.gz",
        "__MACOSX/a/x.nii",
        ".git/x.nii",
    )
    touch(tmp_path, "a/notes.txt", "a/x.nii.gz.part")
    found = [str(path.relative_to(tmp_path)) for path in find_images(tmp_path)]
    assert found == ["a/x.NII.GZ", "b/run-2.nii.gz", "b/run-10.nii"]


def test_links_to_folders_are_followed_once(tmp_path, touch):
    touch(tmp_path, "disk/case/x.nii")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/link").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/case/back").symlink_to(tmp_path / "disk")
    assert find_images(tmp_path / "data") == [tmp_path / "data/link/case/x.nii"]


def test_a_link_to_nothing_is_found_so_that_it_can_be_reported(tmp_path):
    (tmp_path / "x.nii.gz").symlink_to("nowhere")
    assert find_images(tmp_path) == [tmp_path / "x.nii.gz"]


def test_a_folder_named_like_an_image_gives_the_image_its_name():
    packed, plain = Path("c/BraTS_001_t1.nii/0057_brain.nii"), Path("c/BraTS_001_t1.nii.gz")
    assert image_name(packed) == image_name(plain) == "BraTS_001_t1"
    assert case_folder(packed) == case_folder(plain) == Path("c")


def test_natural_order_counts():
    names = ["ses-10", "ses-2", "ses-02", "ses-a", "1"]
    assert sorted(names, key=natural_order) == ["1", "ses-02", "ses-2", "ses-10", "ses-a"]


@pytest.mark.parametrize("look", [find_images, folder_entries])
def test_a_folder_that_may_not_be_read_is_an_error_with_the_command_that_opens_it(
    open_folder, touch, as_nobody, look
):
    touch(open_folder, "open/x.nii", "closed one/y.nii")
    (open_folder / "closed one").chmod(0)
    place = open_folder / ("closed one" if look is folder_entries else "")
    said = as_nobody(lambda: look(place))
    assert said.startswith("PermissionError") and f"chmod u+rx '{open_folder}/closed one'" in said


def test_another_error_of_the_disk_is_not_taken_for_a_closed_folder(tmp_path, monkeypatch):
    def broken(place):
        raise OSError(5, "Input/output error", str(place))

    monkeypatch.setattr(os, "scandir", broken)
    for look in (find_images, folder_entries):
        with pytest.raises(OSError, match="Input/output error") as error:
            look(tmp_path)
        assert "chmod" not in str(error.value)


def test_what_lies_in_a_folder_is_listed_without_hidden_files(tmp_path, touch):
    touch(tmp_path, "x.nii", ".hidden", "sub/y.nii")
    assert sorted(entry.name for entry in folder_entries(tmp_path)) == ["sub", "x.nii"]
    assert folder_entries(tmp_path / "absent") == folder_entries(tmp_path / "x.nii") == []


def test_the_modules_that_plan_a_study_need_no_other_package():
    """A head node may have Snakemake alone."""
    code = (
        "import sys\n"
        "for name in ('numpy', 'nibabel', 'scipy', 'torch', 'SimpleITK'): sys.modules[name] = None\n"
        "import spatial_erasing.ingest.source, spatial_erasing.study"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
