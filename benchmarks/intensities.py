"""Whole heads and stripped brains of several scanners: on one scale after preprocessing?

    python benchmarks/intensities.py DATA [--figure FILE.png] [--cores 2]

Prepares every scan in DATA/whole_head, DATA/brain_only and DATA/lesion as the study does and compares the
quantile curves of the brains' intensities, from the 1st to the 99th percentile: as stored (in units of the
median scan's 99th percentile), each divided by its own maximum, and after this stage. The number is the
largest distance between any two curves. Prints Markdown.
"""

import argparse
import os
import sys
import tempfile
from itertools import combinations
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ["OMP_NUM_THREADS"] = os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"

from spatial_erasing.grids import Grid  # noqa: E402
from spatial_erasing.preprocess.batch import prepare_batch  # noqa: E402
from spatial_erasing.preprocess.geometry import read_record  # noqa: E402
from spatial_erasing.preprocess.resample import resample_to_grid  # noqa: E402
from spatial_erasing.preprocess.settings import BrainSettings  # noqa: E402
from spatial_erasing.report.style import (  # noqa: E402
    BLUE,
    ORANGE,
    SKY,
    VERMILION,
    add_panel,
    add_text,
    in_house_style,
    new_figure,
    save_figure,
)
from spatial_erasing.volumes import read_volume  # noqa: E402

PERCENTS = np.arange(1, 100)
# how each set of the shared real scans comes, by the start of its file names
SETS = {
    "ds000011": ("8 whole heads of one scanner", "deepbet", BLUE),
    "aomic": ("3 whole heads of three others", "deepbet", VERMILION),
    "studyforrest": ("3 whole heads of three others", "deepbet", VERMILION),
    "fnndsc": ("3 whole heads of three others", "deepbet", VERMILION),
    "ds002748": ("24 stripped brains of a fifth", "none", SKY),
    "openms": ("3 stripped brains with lesions", "none", ORANGE),
    "TCGA": ("3 stripped brains with lesions", "none", ORANGE),
}


def rows_of(data: Path) -> list[dict[str, str]]:
    """A row for each scan, as the ingest stage writes them; lesions do not matter here."""
    rows = []
    for folder in ("whole_head", "brain_only", "lesion"):
        for path in sorted((data / folder).glob("*T1*.nii.gz")):
            key = next(name for name in SETS if path.name.startswith(name))
            rows.append(
                {
                    "cohort": "real",
                    "subject": path.name.removesuffix(".nii.gz"),
                    "scanner": key,
                    "sequence": "t1",
                }
                | {
                    "path": str(path),
                    "lesion": "",
                    "brain_mask": "",
                    "skull_strip": SETS[key][1],
                    "sha256": "",
                }
            )
    return rows


def quantile_curves(row: dict[str, str], folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quantiles of the brain as stored, divided by the scan's maximum, and as prepared."""
    grid = Grid.from_json(read_record(folder)["grids"]["brain"])
    brain = read_volume(folder / "brain.nii.gz").intensities > 0
    scan = read_volume(row["path"])
    stored = resample_to_grid(scan, grid, interpolation="linear")[brain]
    prepared = read_volume(folder / "t1.nii.gz").intensities[brain]
    raw = np.percentile(stored, PERCENTS)
    return raw, raw / scan.intensities.max(), np.percentile(prepared, PERCENTS)


def largest_distance(curves: list[np.ndarray]) -> float:
    """Of any two curves at any percentile."""
    return max(float(np.abs(first - second).max()) for first, second in combinations(curves, 2))


@in_house_style
def draw(rows: list[dict[str, str]], panels: dict[str, list[np.ndarray]]):
    """A panel for each scaling, a line for each scan."""
    figure = new_figure(174, 68)
    for place, (title, curves) in enumerate(panels.items()):
        panel = add_panel(figure, left_mm=12 + 55 * place, top_mm=8, width_mm=46, height_mm=42)
        for row, curve in zip(rows, curves, strict=True):
            panel.plot(PERCENTS, curve, color=SETS[row["scanner"]][2], linewidth=0.6, alpha=0.8)
        panel.set_title(f"{title}: {largest_distance(curves):.2f}")
        panel.set_xlabel("percentile of the brain's voxels")
        panel.set_ylim(bottom=0)
    figure.axes[0].set_ylabel("intensity")
    for place, (name, color) in enumerate({name: color for name, _, color in SETS.values()}.items()):
        add_text(figure, name, left_mm=12 + 41 * place, top_mm=63, color=color, fontsize=7)
    return figure


def main() -> None:
    """Print the table, and draw the figure if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--figure", type=Path, help="PNG or PDF to write")
    parser.add_argument("--cores", type=int, default=2)
    chosen = parser.parse_args()
    values = yaml.safe_load((ROOT / "config.yaml").read_text())["preprocess"]
    settings = BrainSettings(**{name: values[name] for name in BrainSettings.__dataclass_fields__})
    rows = rows_of(chosen.data)
    with tempfile.TemporaryDirectory() as folder:
        done = prepare_batch(
            [[row] for row in rows], folder=Path(folder), settings=settings, code="", cores=chosen.cores
        )
        failed = {row["subject"]: row["reason"] for row in done if row["status"] != "done"}
        for subject, reason in failed.items():
            print(f"{subject} failed: {reason}", file=sys.stderr)
        rows = [row for row in rows if row["subject"] not in failed]
        curves = [quantile_curves(row, Path(folder, row["subject"])) for row in rows]
    raw, by_maximum, prepared = (list(kind) for kind in zip(*curves, strict=True))
    unit = np.median([curve[-1] for curve in raw])
    panels = {
        "as stored": [curve / unit for curve in raw],
        "divided by the maximum": by_maximum,
        "after this stage": prepared,
    }
    healthy = [k for k, row in enumerate(rows) if row["scanner"] not in ("openms", "TCGA")]
    print(
        f"| largest distance between two quantile curves | all {len(rows)} brains | {len(healthy)} healthy |"
    )
    print("| :-- | --: | --: |")
    for title, lines in panels.items():
        distances = largest_distance(lines), largest_distance([lines[k] for k in healthy])
        print(f"| {title} | {distances[0]:.2f} | {distances[1]:.2f} |")
    if chosen.figure:
        save_figure(draw(rows, panels), chosen.figure)


if __name__ == "__main__":
    main()
