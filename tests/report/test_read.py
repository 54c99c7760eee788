from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spatial_erasing.report.read import read_table

ROOT = Path(__file__).parents[2]
NAMES = ["NA", "N/A", "NaN", "nan", "None", "null", "NULL", "n/a", "<NA>", "007", "1e3", "-", "true"]


@pytest.mark.parametrize("name", NAMES)
def test_a_subject_or_cohort_may_have_any_name(tmp_path, name):
    (tmp_path / "a.csv").write_text(f"cohort,subject,value\n{name},{name},0.5\nbrats,b,nan\natlas,c,\n")
    table = read_table(tmp_path / "a.csv")
    assert table["cohort"].tolist() == [name, "brats", "atlas"] and table["subject"][0] == name
    assert table["value"].dtype == float and np.isnan(table["value"][1:]).all()
    assert len(table.groupby("subject")) == 3


def test_everything_else_is_read_as_pandas_reads_it(tmp_path):
    lines = ["model,seed,cohort,subject,dice,voxels", "3d,1,a,x,0.1,3", "3d,2,a,y,nan,4", "2d,1,b,z,,0"]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    pd.testing.assert_frame_equal(read_table(tmp_path / "a.csv"), pd.read_csv(tmp_path / "a.csv"))


def test_the_report_reads_no_table_in_another_way():
    scripts = [*ROOT.glob("workflow/scripts/*.py"), *ROOT.glob("spatial_erasing/**/*.py")]
    assert len(scripts) > 100
    assert [path.name for path in scripts if "read_csv(" in path.read_text()] == ["read.py"]
