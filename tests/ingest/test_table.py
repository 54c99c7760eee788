import csv

import pytest

from spatial_erasing.ingest.table import find_scans

HEADER = "subject,scanner,t1,t1ce,lesion,brain_mask,skull_strip\n"


@pytest.fixture
def table(tmp_path):
    """Write the text as a table and list its scans."""

    def scans(text, sequences=("t1",), encoding="utf-8"):
        path = tmp_path / "scans.csv"
        path.write_bytes(text.encode(encoding))
        return find_scans(path, sequences=sequences)

    return scans


def test_all_columns_are_read_relative_to_the_table(table, tmp_path):
    (t1, t1ce) = table(HEADER + "p1,Prisma,a/t1.nii,a/t1ce.nii,l1.nii;l2.nii,m.nii,given\n", ("t1", "t1ce"))
    assert (t1.subject, t1.scanner, t1.path) == ("p1", "Prisma", tmp_path / "a/t1.nii")
    assert t1.lesion == (tmp_path / "l1.nii", tmp_path / "l2.nii")
    assert t1.brain_mask == tmp_path / "m.nii" and t1.skull_strip == "given" and not t1.problem
    assert (t1ce.sequence, t1ce.path, t1ce.lesion) == ("t1ce", tmp_path / "a/t1ce.nii", t1.lesion)


def test_optional_columns_and_cells_may_be_absent(table):
    (scan,) = table("t1,subject,scanner\nx.nii,p1,\n")
    assert (scan.scanner, scan.lesion, scan.brain_mask, scan.skull_strip) == ("unknown", (), None, "")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_spreadsheet_exports_give_the_same_scans(table, tmp_path, delimiter):
    rows = [
        ["subject", "scanner", "t1", "lesion"],
        ["p1", "Prisma, 3T; new", "my scans/Zoë 1.nii", "a.nii; b.nii"],
    ]
    with (tmp_path / "made.csv").open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream, delimiter=delimiter).writerows(rows)
    (scan,) = find_scans(tmp_path / "made.csv", sequences=["t1"])
    assert scan.scanner == "Prisma, 3T; new" and scan.path == tmp_path / "my scans/Zoë 1.nii"
    assert [path.name for path in scan.lesion] == ["a.nii", "b.nii"]


def test_byte_order_mark_blank_lines_white_space_and_capitals_do_not_matter(table):
    plain = table("subject,scanner,t1\np1,A,x.nii\np2,B,y.nii\n")
    messy = table(
        "\ufeff\r\n Subject , Scanner ,T1,,\r\n\r\n  p1 , A , x.nii,,\r\n,,,,\r\np2,B,y.nii\r\n\r\n"
    )
    assert messy == plain


def test_variables_and_home_are_expanded_and_an_unset_one_is_named_with_its_line(
    table, monkeypatch, tmp_path
):
    monkeypatch.setenv("SPATIAL_ERASING_DATA", "/disk")
    monkeypatch.setenv("HOME", "/home/me")
    text = "subject,scanner,t1,lesion\np1,A,${SPATIAL_ERASING_DATA}/x.nii,~/l.nii\n"
    (scan,) = table(text)
    assert str(scan.path) == "/disk/x.nii" and str(scan.lesion[0]) == "/home/me/l.nii"
    monkeypatch.delenv("SPATIAL_ERASING_DATA")
    with pytest.raises(
        ValueError, match=r"scans\.csv line 2: .*variable SPATIAL_ERASING_DATA, which is not set"
    ):
        table(text)


def test_a_misspelt_column_is_an_error_that_lists_the_allowed_ones(table):
    with pytest.raises(ValueError, match=r"unknown columns: 'leison' \(did you mean 'lesion'\?\)") as error:
        table("subject,scanner,t1,leison\np1,A,x.nii,l.nii\n")
    assert "subject, scanner, t1, t1ce, t2, flair, lesion, brain_mask, skull_strip" in str(error.value)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("subject,t1", "missing columns: scanner"),
        ("patient;scan", "unknown columns: 'patient', 'scan'; missing columns: subject, scanner, t1"),
        ("subject,scanner,t1,t1", "columns that come twice: t1"),
    ],
)
def test_missing_unknown_and_doubled_columns_are_errors(table, header, found):
    with pytest.raises(ValueError, match="has ") as error:
        table(header + "\np1,A,x.nii\n")
    for part in found.split("; "):
        assert part.split(": ")[0] in str(error.value)
        assert all(name in str(error.value) for name in part.split(": ")[1].split(", "))


def test_a_sequence_that_the_cohort_needs_must_have_a_column(table):
    with pytest.raises(ValueError, match="missing columns: t1ce"):
        table("subject,scanner,t1\np1,A,x.nii\n", ("t1", "t1ce"))


def test_a_subject_listed_twice_is_an_error_row_that_names_both_lines(table):
    first, second = table("subject,scanner,t1\nZoë,A,x.nii\n\nZoe\u0308,A,y.nii\n")
    assert not first.problem
    assert (
        second.problem.startswith("table line: ")
        and "line 4 lists Zoë again, first in line 2" in second.problem
    )


def test_an_empty_path_is_an_error_row(table):
    (scan,) = table("subject,scanner,t1\np1,A,\n")
    assert scan.problem.startswith("missing file: ") and "names no t1 of p1" in scan.problem


def test_a_line_with_too_many_cells_is_an_error_row(table):
    bad, good = table("subject,scanner,t1\np1,A,my, scan.nii\np2,B,y.nii\n")
    assert "line 2 has 4 cells for 3 columns. Quote" in bad.problem and not good.problem


def test_several_brain_masks_are_an_error_row(table):
    (scan,) = table(HEADER + "p1,A,x.nii,,,m1.nii;m2.nii,given\n")
    assert "several brain masks" in scan.problem


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff", " , ,\n"])
def test_an_empty_table_is_an_error_that_shows_an_example(table, text):
    with pytest.raises(ValueError, match=r"is empty(.|\n)*patient-01,Prisma"):
        table(text)


def test_another_encoding_is_an_error_that_says_how_to_save(table):
    for encoding in ("utf-16", "latin-1"):
        with pytest.raises(ValueError, match=r"is not UTF-8 text.*Save it as CSV"):
            table("subject,scanner,t1\nZoë,A,x.nii\n", encoding=encoding)


def test_an_open_quote_does_not_swallow_the_rest(table):
    with pytest.raises(ValueError, match=r"scans\.csv line \d+: .*Close the quotes"):
        table('subject,scanner,t1\np1,A,"x.nii\np2,B,y.nii\n')


def test_a_sequence_is_a_column_and_t1_is_needed_no_more_than_others(table):
    (scan,) = table("subject,scanner,t1,dwi_b1000\np1,A,,x.nii\n", ("dwi_b1000",))
    assert (scan.sequence, scan.path.name, scan.problem) == ("dwi_b1000", "x.nii", "")
    with pytest.raises(ValueError, match="unknown columns: 'dwi_b1000'"):
        table("subject,scanner,t1,dwi_b1000\np1,A,,x.nii\n")
