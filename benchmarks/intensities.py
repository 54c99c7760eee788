"""Do whole heads and stripped brains of several scanners have one contrast after preprocessing?

    python benchmarks/intensities.py DATA [--figure FILE.png] [--cores 2]

Prepares every scan in DATA/whole_head, brain_only, lesion and brats as the study does and compares the
quantile curves of the brains' intensities, from the 1st to the 99th percentile: as stored (in units of the
median scan's 99th percentile), and after each way to standardise. A number is the largest distance of any
curve of a data set from the median curve of all healthy brains. Landmarks are learned on the healthy brains.
Prints Markdown.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml

os.environ["OMP_NUM_THREADS"] = os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"

from spatial_erasing.images.grids import Grid
from spatial_erasing.images.volumes import read_volume
from spatial_erasing.ingest.files import sha256_of
from spatial_erasing.preprocess.batch import prepare_batch
from spatial_erasing.preprocess.quality import largest_distance
from spatial_erasing.preprocess.resample import resample_to_grid
from spatial_erasing.preprocess.settings import BrainSettings
from spatial_erasing.preprocess.standardise.landmarks import Landmarks
from spatial_erasing.preprocess.standardise.ways import WAYS, Standard
from spatial_erasing.preprocess.subject import read_record
from spatial_erasing.report.style import BLUE, ORANGE, SKY, VERMILION, PageFigure, in_house_style, save_figure

ROOT = Path(__file__).resolve().parents[1]

PERCENTS = np.arange(1, 100)
PURPLE = "#CC79A7"  # from the palette of the figures
# titles of the sets of real scans, by the start of their file names
SETS = {
    "ds000011": ("8 whole heads of one scanner", "deepbet", BLUE),
    "aomic": ("3 whole heads of three others", "deepbet", VERMILION),
    "studyforrest": ("3 whole heads of three others", "deepbet", VERMILION),
    "fnndsc": ("3 whole heads of three others", "deepbet", VERMILION),
    "ds002748": ("41 stripped brains of a fifth", "none", SKY),
    "openms": ("2 brains with multiple sclerosis", "none", ORANGE),
    "TCGA": ("1 glioma, TCGA-DU", "none", ORANGE),
    "Brats18": ("8 gliomas of BraTS 2018", "none", PURPLE),
}
ILL = ("openms", "TCGA", "Brats18")


def rows_of(data: Path) -> list[list[dict[str, str]]]:
    """The rows of each subject, one per sequence, as written by the ingest stage; without lesions."""
    subjects = []
    patterns = ("whole_head/*T1*", "brain_only/*T1*", "lesion/*T1*", "brats/*/*/*_t1.nii.gz")
    for path in sorted(path for pattern in patterns for path in data.glob(pattern)):
        key = next(name for name in SETS if path.name.startswith(name))
        files = {"t1": path}
        if (contrast := path.with_name(path.name.replace("_t1.", "_t1ce."))) != path:
            files["t1ce"] = contrast
        row = {"cohort": "real", "subject": path.name.removesuffix(".nii.gz"), "scanner": key}
        row |= {"lesion": "", "brain_mask": "", "skull_strip": SETS[key][1]}
        subjects.append(
            [
                row | {"sequence": name, "path": str(file), "sha256": sha256_of(file)}
                for name, file in files.items()
            ]
        )
    return subjects


def quantile_curves(rows: list[dict[str, str]], folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of each sequence the quantiles of the brain as stored, and its intensities in [0, 1] as prepared."""
    grid = Grid.from_json(read_record(folder)["grids"]["brain"])
    brain = read_volume(folder / "brain.nii.gz").intensities > 0
    found = {}
    for row in rows:
        stored = resample_to_grid(read_volume(row["path"]), grid, interpolation="linear")[brain]
        prepared = read_volume(folder / f"{row['sequence']}.nii.gz").intensities[brain]
        found[row["sequence"]] = np.percentile(stored, PERCENTS), prepared
    return found


def standards(standard: Mapping[str, Mapping], healthy: list[np.ndarray]) -> dict[str, Standard]:
    """Each way with the targets of config.yaml; landmarks are learned on these healthy brains."""
    percentiles = standard["landmarks"]["percentiles"]
    values = np.mean([np.percentile(brain, percentiles) for brain in healthy], axis=0)
    scale = Landmarks(tuple(percentiles), tuple(values.tolist()), "t1", len(healthy))
    targets = {way: standard.get(way, {}) for way in WAYS} | {
        "landmarks": dict.fromkeys(("t1", "t1ce"), scale)
    }
    return {way: Standard(dict.fromkeys(("t1", "t1ce"), way), targets[way]) for way in WAYS}


@in_house_style
def draw(scans: list[tuple[str, str]], panels: dict[str, list[np.ndarray]]):
    """One panel per scaling, one line per scan; T1 with contrast agent is dashed."""
    figure = PageFigure(174, 74)
    for place, (title, curves) in enumerate(panels.items()):
        panel = figure.add_panel((12 + 55 * place, 8), (46, 42))
        for (key, sequence), curve in zip(scans, curves, strict=True):
            look = {"linestyle": (0, (3, 2))} if sequence == "t1ce" else {}
            panel.plot(PERCENTS, curve, color=SETS[key][2], linewidth=0.6, alpha=0.8, **look)
        panel.set_title(f"{title}: {largest_distance(curves):.2f}")
        panel.set_xlabel("percentile of the brain's voxels")
        panel.set_ylim(bottom=0)
    figure.axes[0].set_ylabel("intensity")
    names = {name: colour for name, _, colour in SETS.values() if name != SETS["TCGA"][0]}
    for place, (name, colour) in enumerate(names.items()):
        top_mm, left_mm = 63 + 4 * (place // 3), 12 + 55 * (place % 3)
        figure.add_text(name, (left_mm, top_mm), color=colour, fontsize=7)
    figure.add_text("dashed: T1 with contrast agent", (122, 67), fontsize=7)
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
    subjects = rows_of(chosen.data)
    with tempfile.TemporaryDirectory() as folder:
        done = prepare_batch(subjects, folder=Path(folder), settings=settings, code="", cores=chosen.cores)
        failed = {row["subject"]: row["reason"] for row in done if row["status"] != "done"}
        for subject, reason in failed.items():
            print(f"{subject} failed: {reason}", file=sys.stderr)
        kept = [rows for rows in subjects if rows[0]["subject"] not in failed]
        found = [quantile_curves(rows, Path(folder, rows[0]["subject"])) for rows in kept]
    scans = [(rows[0]["scanner"], name) for rows, one in zip(kept, found, strict=True) for name in one]
    stored, brains = zip(*(pair for one in found for pair in one.values()), strict=True)
    healthy = [place for place, (key, _) in enumerate(scans) if key not in ILL]
    unit = np.median([curve[-1] for curve in stored])
    panels = {"as stored": [curve / unit for curve in stored]}
    ways = standards(values["standard"], [brains[place] for place in healthy])
    for way, standard in ways.items():
        maps = [standard.map_of(brain, sequence=name) for brain, (_, name) in zip(brains, scans, strict=True)]
        curves = [np.percentile(brain, PERCENTS) for brain in brains]
        panels[way] = [one(curve) for one, curve in zip(maps, curves, strict=True)]
    print_table(scans, panels, healthy)
    if chosen.figure:
        default = [panels[values["standardise"][name]][place] for place, (_, name) in enumerate(scans)]
        shown = {"as stored": panels["as stored"], "percentiles 1 and 99": panels["range"]}
        save_figure(draw(scans, shown | {"one contrast": default}), chosen.figure)


def print_table(
    scans: list[tuple[str, str]], panels: dict[str, list[np.ndarray]], healthy: list[int]
) -> None:
    """One row per data set and sequence, one column per way."""
    groups: dict[str, list[int]] = {}
    for place, (key, name) in enumerate(scans):
        groups.setdefault(SETS[key][0] + (", T1ce" if name == "t1ce" else ""), []).append(place)
    print(f"| largest distance from the median healthy curve | n | {' | '.join(panels)} |")
    print(f"| :-- | --: | {' | '.join(['--:'] * len(panels))} |")
    for title, places in groups.items():
        cells = []
        for curves in panels.values():
            middle = np.median([curves[place] for place in healthy], axis=0)
            cells.append(f"{max(float(np.abs(curves[place] - middle).max()) for place in places):.2f}")
        print(f"| {title} | {len(places)} | {' | '.join(cells)} |")
    cells = [f"{largest_distance([curves[place] for place in healthy]):.2f}" for curves in panels.values()]
    print(f"| between any two healthy brains | {len(healthy)} | {' | '.join(cells)} |")
    half = np.median([panels["range"][place][PERCENTS == 50] for place in healthy])
    quarter = np.median([panels["median"][place][PERCENTS == 75] for place in healthy])
    print(f"\nHealthy brains: median {half:.2f} by range, upper quartile {quarter:.2f} by median.")


if __name__ == "__main__":
    main()
