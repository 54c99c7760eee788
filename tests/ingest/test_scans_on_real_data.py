import os
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spatial_erasing.ingest.scans import list_scans


@pytest.mark.skipif(not os.environ.get("SPATIAL_ERASING_DATA"), reason="SPATIAL_ERASING_DATA is not set")
def test_real_scans_are_listed_as_nibabel_and_sha256sum_see_them(tmp_path):
    root = Path(os.environ["SPATIAL_ERASING_DATA"]).absolute()
    names = sorted(
        path.relative_to(root)
        for part in ("whole_head", "brain_only")
        for path in (root / part).glob("*.nii*")
    )
    lines = [
        f"{name.name.split('_T1w')[0].split('.')[0]},{name.parts[0]},${{SPATIAL_ERASING_DATA}}/{name}"
        for name in names
    ]
    lines.append("glioma,SRI24,${SPATIAL_ERASING_DATA}/lesion/TCGA-DU-7294_T1_brain_SRI24.nii.gz")
    (tmp_path / "real.csv").write_text("\n".join(["subject,scanner,t1", *lines]))
    rows = list_scans("table", tmp_path / "real.csv", sequences=["t1"], skull_strip="none", cohort="real")
    assert len(rows) == len(lines) > 30 and {row["status"] for row in rows} == {"found"}
    printed = subprocess.run(
        ["sha256sum", *(row["path"] for row in rows)], capture_output=True, check=True, text=True
    )
    assert [row["sha256"] for row in rows] == [line.split()[0] for line in printed.stdout.splitlines()]
    for row in rows:
        image = nib.load(row["path"])
        size, spacing, codes = row["grid"].split()
        assert size == "x".join(map(str, image.shape)) and codes == "".join(nib.aff2axcodes(image.affine))
        widths = [float(width) for width in spacing.removesuffix("mm").split("x")]
        assert np.allclose(widths, image.header.get_zooms()[:3], atol=0.006)
    assert (
        next(row["grid"] for row in rows if row["subject"] == "glioma") == "240x240x155 1.00x1.00x1.00mm LPS"
    )
