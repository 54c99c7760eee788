import pandas as pd
import pytest

from spatial_erasing.report.crate import RuleCost, provenance_page, read_costs
from spatial_erasing.report.templates import write_filled


def software(kind, name, version):
    return {
        "@id": f"#{kind}-{name}",
        "@type": "SoftwareApplication",
        "name": name,
        "softwareVersion": version,
    }


CRATE = {
    "@graph": [
        software("workflow", "", "")
        | {"@id": "#workflow", "name": "spatial-erasing"}
        | {"softwareVersion": "abc123", "runtimePlatform": "Python 3.11"}
        | {"softwareRequirements": [{"@id": "#package-torch"}]},
        software("package", "torch", "2.13.0"),
        software("package", "torch-old", "1.2.0") | {"name": "torch"},
        software("rule", "train_model", "f00")
        | {"runtimePlatform": "Python 3.9.1", "softwareRequirements": {"@id": "#package-torch-old"}}
        | {"additionalProperty": {"@id": "#device-H100"}},
        {"@id": "#scan-brats-a-t1", "@type": "MediaObject", "name": "brats a t1", "sha256": "0"},
        {"@id": "#scan-brats-a-t1ce", "@type": "MediaObject", "name": "brats a t1ce", "sha256": "1"},
        {"@id": "#device-H100", "@type": "PropertyValue", "name": "device", "value": "H100 <b>"},
        {"@id": "#job-train", "@type": "CreateAction", "result": [{"@id": "a"}, {"@id": "b"}]}
        | {"additionalProperty": {"@id": "#device-H100"}}
        | {"endTime": "2026-01-02T03:04:05+00:00"},
    ]
}


def test_the_page_counts_scans_files_and_cost_and_shows_the_config():
    costs = [RuleCost("train_model", 14, 392.4, 206.0, 402.0), RuleCost("write_table_1", 1, 1.6, 1.0, 90.0)]
    page = provenance_page(CRATE, costs, config={"study": {"title": "<b>Own</b>"}})

    assert "brats 2" in page and "2 files of 1 jobs" in page and "abc123" in page
    assert "H100 &lt;b&gt; (trainings: 1)" in page
    made, wrote = page.split("Packages that wrote this page")
    assert "torch 1.2.0" in made and "train_model: Python 3.9.1" in made and "torch 2.13.0" not in made
    assert "torch 2.13.0" in wrote and "torch 1.2.0" not in wrote
    assert "<td>H100 &lt;b&gt;</td>" in page
    assert "train_model f00" in page
    assert "<td>392</td>" in page and "<td>394</td>" in page  # a rule, and all of them
    assert "<b>Own</b>" not in page and "&lt;b&gt;Own" in page


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
    devices = {"train_model": ["A", "H100"]}
    write_filled([folder / "costs.md"], "costs", costs=read_costs(folder), devices=devices)
    rows = (folder / "costs.md").read_text().splitlines()
    assert rows[2] == "| train_model | 2 | 31 | 29 | 400 | A, H100 |"
    assert rows[3].startswith("| write_table_1 | 1 | 0 |")
