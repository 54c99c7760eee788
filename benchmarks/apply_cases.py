"""What the example model sees and misses on scans with known lesions, from the files that a user gets.

    SPATIAL_ERASING_DATA=DATA python benchmarks/apply_cases.py --output FOLDER [--model BUNDLE]

Applies a model to the gliomas, the multiple sclerosis and the whole heads of DATA, each scan by the command's
own function, and compares mask and percentile map with the expert's lesion on the voxels of the scan. Half of
the gliomas took part in the choice of the threshold. Prints Markdown; scans that are finished are kept.
"""

import argparse
import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np

from spatial_erasing.apply import apply
from spatial_erasing.apply.scans import Options
from spatial_erasing.ingest.scans import list_scans

ROOT = Path(__file__).parents[1]
SETS = {
    "gliomas": ("brats", "${SPATIAL_ERASING_DATA}/brats"),
    "sclerosis": ("table", str(ROOT / "config/real_sclerosis.csv")),
}


def dice(mask: np.ndarray, lesion: np.ndarray) -> float:
    """Overlap of two masks of one shape, 0 to 1."""
    return 2 * float((mask & lesion).sum()) / float(mask.sum() + lesion.sum())


def compare(row: dict, folder: Path) -> list[str]:
    """Cells of a scan with a known lesion, from its files."""
    lesion = sum(np.asarray(nib.load(path).dataobj) > 0.5 for path in json.loads(row["lesion"])) > 0
    image = nib.load(folder / "anomaly_mask.nii.gz")
    mask = np.asarray(image.dataobj) > 0
    percentile = np.asarray(nib.load(folder / "anomaly_percentile.nii.gz").dataobj)
    voxel_ml = abs(np.linalg.det(image.affine[:3, :3])) / 1000
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    numbers = (lesion.sum() * voxel_ml, mask.sum() * voxel_ml, (mask & lesion).sum() * voxel_ml)
    return [
        *(f"{number:.1f}" for number in numbers),
        f"{dice(mask, lesion):.2f}",
        f"{np.median(percentile[lesion]):.3f}",
        f"{summary['unusual_percent']:.0f}",
        ", ".join(warning["name"] for warning in summary["warnings"]) or "–",
    ]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model")
    asked = parser.parse_args()
    titles = [
        "scan",
        "lesion, ml",
        "marked, ml",
        "marked within the lesion, ml",
        "Dice",
        "median percentile in the lesion",
    ]
    titles += ["`unusual_percent`", "warnings"]
    print(f"| {' | '.join(titles)} |\n| :-- |{' --: |' * (len(titles) - 2)} :-- |")
    for name, (reader, path) in SETS.items():
        rows = list_scans(reader, path, sequences=["t1"], skull_strip="none", cohort=name)
        folder = asked.output / name
        applied = apply([row["path"] for row in rows], folder, options=Options(asked.model, stripped=True))
        for row, found in zip(rows, applied, strict=True):
            print(f"| {' | '.join([row['subject'], *compare(row, folder / found['name'])])} |", flush=True)
    heads = sorted((Path(os.environ["SPATIAL_ERASING_DATA"]) / "whole_head").glob("*.nii.gz"))
    applied = apply(heads, asked.output / "heads", options=Options(asked.model))
    print(f"\n{len(applied)} whole heads of healthy people, half of which trained or validated the model:\n")
    print("| scan | marked, ml | `unusual_percent` | warnings |\n| :-- | --: | --: | :-- |")
    for found in applied:
        cells = (
            found["name"],
            f"{found['total_ml']:.1f}",
            f"{found['unusual_percent']:.0f}",
            found["warnings"],
        )
        print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main()
