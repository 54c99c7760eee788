"""What the example model sees and misses on scans with known lesions, from the files that a user gets.

    SPATIAL_ERASING_DATA=DATA python benchmarks/apply_cases.py --output FOLDER [--model BUNDLE]

Applies a model to the gliomas, the multiple sclerosis and the whole heads of DATA, each scan by the command's
own function, and compares mask and percentile map with the expert's lesion on the voxels of the scan. Half of
the gliomas took part in the choice of the threshold. Then one healthy brain with a sphere of other
brightness, or tilted. Prints Markdown; scans that are finished are kept.
"""

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from spatial_erasing.apply import apply
from spatial_erasing.apply.scans import Options
from spatial_erasing.ingest.scans import list_scans

ROOT = Path(__file__).parents[1]
SETS = {
    "gliomas": ("brats", "${SPATIAL_ERASING_DATA}/brats"),
    "sclerosis": ("table", str(ROOT / "config/real_sclerosis.csv")),
}

HEALTHY = "brain_only/ds002748_sub-53_control_T1w.nii.gz"
SPHERES = ((20, 1.4), (20, 0.5), (10, 0.5))  # radius in mm, and how many times as bright
TILTS = (5, 10, 15)  # degrees about the axis from left to right


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


def changed_brains(path: Path) -> Iterator[tuple[str, nib.Nifti1Image, float]]:
    """A healthy brain unchanged, with a sphere in one hemisphere, or tilted: name, scan, ml of the sphere."""
    image = nib.load(path)
    values, affine = np.asarray(image.dataobj, np.float32), image.affine
    voxel_ml = abs(np.linalg.det(affine)) / 1000
    places = nib.affines.apply_affine(affine, np.moveaxis(np.indices(values.shape), 0, -1))
    from_centre = np.linalg.norm(places - places[values > 0].mean(axis=0) - (32, 0, 14), axis=-1)
    yield "unchanged", image, 0.0
    for radius, times in SPHERES:
        sphere = (from_centre < radius) & (values > 0)
        soft = ndimage.gaussian_filter(sphere.astype(np.float32), 1.4 / np.cbrt(1000 * voxel_ml))
        changed = nib.Nifti1Image(values * (1 + (times - 1) * soft), affine)
        yield f"radius {radius} mm, {times} times as bright", changed, sphere.sum() * voxel_ml
    for degrees in TILTS:
        turned = nib.affines.from_matvec(nib.eulerangles.euler2mat(x=np.radians(degrees))) @ affine
        yield f"tilted by {degrees}°", nib.Nifti1Image(values, turned), 0.0


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
    changed = list(changed_brains(Path(os.environ["SPATIAL_ERASING_DATA"], HEALTHY)))
    scans = [scan for _, scan, _ in changed]
    applied = apply(scans, asked.output / "changed", options=Options(asked.model, stripped=True))
    print(f"\n{HEALTHY}, changed:\n")
    print(
        "| change | sphere, ml | marked, ml | `unusual_percent` | warnings |\n| :-- | --: | --: | --: | :-- |"
    )
    for (name, _, ml), found in zip(changed, applied, strict=True):
        numbers = f"{ml:.1f} | {found['total_ml']:.1f} | {found['unusual_percent']:.0f}"
        print(f"| {name} | {numbers} | {found['warnings'] or '–'} |")


if __name__ == "__main__":
    main()
