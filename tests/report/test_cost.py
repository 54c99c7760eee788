import pandas as pd
import pytest

from spatial_erasing.report.cost import cost_markdown, read_costs

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train_model").mkdir()
    (tmp_path / "train_model/a.tsv").write_text(HEADER + "10.5\t0:00:10\t300\t9\t9\t250.5\t0\t0\t90\t9.25\n")
    (tmp_path / "train_model/b.tsv").write_text(
        HEADER + "20.5\t0:00:20\t400\t700\t200\tNA\t0\t0\t90\t19.75\n"
    )
    (tmp_path / "write_table_1.tsv").write_text(HEADER + "0.1\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA\n")
    return tmp_path


def test_costs_are_sums_and_peaks_of_the_files(folder):
    train, table = read_costs(folder)

    frames = [pd.read_csv(path, sep="\t") for path in sorted(folder.glob("train_model/*.tsv"))]
    measured = pd.concat(frames)
    assert (train.rule, train.jobs) == ("train_model", 2)
    assert train.wall_seconds == pytest.approx(measured["s"].sum())
    assert train.processor_seconds == pytest.approx(measured["cpu_time"].sum())
    assert train.peak_mb == measured["max_pss"].fillna(measured["max_rss"]).max()
    assert (table.rule, table.jobs, table.processor_seconds, table.peak_mb) == ("write_table_1", 1, 0.0, 0.0)


def test_the_table_has_a_row_for_each_rule_the_longest_first(folder):
    rows = cost_markdown(read_costs(folder), {"train_model": ["A", "H100"]}).splitlines()
    assert rows[2] == "| train_model | 2 | 31 | 29 | 400 | A, H100 |"
    assert rows[3].startswith("| write_table_1 | 1 | 0 |")
