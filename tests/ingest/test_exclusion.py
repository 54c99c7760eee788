import pytest

from spatial_erasing.ingest.exclusion import read_exclusions

COHORTS = ["healthy", "brats"]


@pytest.fixture
def read(tmp_path):
    """Write the text as a table of exclusions and read it."""

    def exclusions(text):
        (tmp_path / "mine.csv").write_text(text, encoding="utf-8")
        return read_exclusions(tmp_path / "mine.csv", cohorts=COHORTS)

    return exclusions


def test_subjects_are_kept_by_cohort_with_reason_and_table(read):
    lines = ["healthy,IXI012,moved", 'brats,B1,"shifted, see mail"', "healthy,IXI013,"]
    assert read("\n".join(["cohort,subject,reason", *lines])) == {
        "healthy": {"IXI012": "moved (mine.csv)", "IXI013": "no reason given (mine.csv)"},
        "brats": {"B1": "shifted, see mail (mine.csv)"},
    }


def test_a_header_alone_excludes_nobody(read):
    assert read("cohort,subject,reason\n") == {}


def test_spreadsheets_unicode_and_line_breaks_do_not_matter(read):
    text = '\ufeffSubject;Cohort;Reason\r\nZoe\u0308;brats;"two\nlines"\r\n;;\r\n'
    assert read(text) == {"brats": {"Zoë": "two lines (mine.csv)"}}


def test_the_order_of_lines_does_not_matter(read):
    lines = ["healthy,a,x", "brats,b,y"]
    assert read("\n".join(["cohort,subject,reason", *lines])) == read(
        "\n".join(["cohort,subject,reason", *reversed(lines)])
    )


def test_of_two_lines_for_one_subject_the_first_reason_is_kept(read):
    assert read("cohort,subject,reason\nbrats,b,one\nbrats,b,two\n") == {"brats": {"b": "one (mine.csv)"}}


def test_a_table_that_is_not_there_is_an_error_that_shows_one(tmp_path):
    with pytest.raises(ValueError, match=r"(?s)none\.csv.*No such file.*cohort,subject,reason.*write null"):
        read_exclusions(tmp_path / "none.csv", cohorts=COHORTS)
    with pytest.raises(ValueError, match="Is a directory"):
        read_exclusions(tmp_path, cohorts=COHORTS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "cohort,subject,raeson\n",
            r"'raeson' \(did you mean 'reason'\?\).*missing.*reason",
        ),
        ("subject,reason\n", "missing columns: cohort"),
        ("", "is empty"),
        (
            "cohort,subject,reason\nbrast,b,x\n",
            r"line 2 names the cohort 'brast'.*\(did you mean 'brats'\?\)\. Expected one of healthy, brats",
        ),
        ("cohort,subject,reason\n\nbrats,,x\n", "line 3 names no subject"),
        ("cohort,subject,reason\nbrats,b,shifted, see mail\n", "line 2 has 4 cells for 3 columns. Quote"),
    ],
)
def test_what_cannot_be_meant_is_an_error_that_names_file_and_line(read, text, message):
    with pytest.raises(ValueError, match=r"(?s)mine\.csv.*" + message):
        read(text)
