from pathlib import Path

import pytest

from spatial_erasing.ingest.records import Scan, keep_first_session, name_problem, normalised_name


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
