import pytest

from spatial_erasing.atomic import replaced_when_complete


def test_file_appears_only_when_complete_and_folders_are_made(tmp_path):
    path = tmp_path / "tables" / "table_1.csv"
    with replaced_when_complete(path) as unfinished:
        unfinished.write_text("half")
        assert not path.exists()
        assert unfinished.suffix == path.suffix
    assert path.read_text() == "half"


def test_failure_keeps_the_old_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "table_1.csv"
    path.write_text("old")

    def fail():
        with replaced_when_complete(path) as unfinished:
            unfinished.write_text("half")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
