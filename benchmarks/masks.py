"""Accuracy of brain masks, against exact masks of synthetic heads and FreeSurfer's mask of one real head.

    python benchmarks/masks.py DATA [--heads 8] [--methods deepbet] [--cores 2]

Heads deformed from the template and heads synthesised from the label maps in DATA/label_maps have brains that
are known exactly; the mask in DATA/mask_truth is FreeSurfer's, automatic. Dice, and the 95th percentile of
the distance between the two surfaces, at 1 mm. Prints Markdown.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_erosion, binary_fill_holes, distance_transform_edt

os.environ["OMP_NUM_THREADS"] = os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"

from spatial_erasing.images.volumes import read_volume
from spatial_erasing.jobs.parallel import map_in_processes
from spatial_erasing.preprocess.resample import isotropic_grid, resample_to_grid
from spatial_erasing.preprocess.settings import NETWORKS
from spatial_erasing.preprocess.strip import mask_brain
from spatial_erasing_phantoms.cohort import PhantomSettings
from spatial_erasing_phantoms.make import make_cohort


def surface_distance_mm(first: np.ndarray, second: np.ndarray, *, percentile: float = 95) -> float:
    """Percentile of the distances from each surface to the other, both ways, at 1 mm."""
    surfaces = [mask & ~binary_erosion(mask) for mask in (first, second)]
    return max(
        float(np.percentile(distance_transform_edt(~other)[surface], percentile))
        for surface, other in (surfaces, surfaces[::-1])
    )


def compare(item: tuple[str, Path, Path, str]) -> tuple[str, str, float, float, float, float]:
    """Kind of head, method, Dice, distance in mm, and percent: exact brain kept, and difference in volume.

    Cavities of the exact mask are filled, as they are in every mask of this project.
    """
    kind, scan, truth, method = item
    head = read_volume(scan)
    grid = isotropic_grid(head, spacing_mm=1.0)
    found = mask_brain(head, grid, brain_mask=None, skull_strip=method)
    exact = binary_fill_holes(resample_to_grid(read_volume(truth), grid, interpolation="nearest") > 0.5)
    kept = 100 * (found & exact).sum() / exact.sum()
    more = 100 * (found.sum() / exact.sum() - 1)
    dice = 2 * (found & exact).sum() / (found.sum() + exact.sum())
    return kind, method, dice, surface_distance_mm(found, exact), kept, more


def make_heads(
    folder: Path, label_maps: Path, *, heads: int, cores: int
) -> dict[str, list[tuple[Path, Path]]]:
    """Scan and exact mask of synthetic heads of both kinds."""
    made = {}
    if not heads:
        return made
    for kind, maps in {"template": None, "label maps": str(label_maps)}.items():
        place = folder / kind
        settings = PhantomSettings(label_maps=maps)
        cohort = {"kind": "healthy", "subjects": heads}
        rows = make_cohort(cohort, place, seed=1, settings=settings, code="", cores=cores)
        made[f"synthetic, {kind}"] = [(place / row["t1"], place / row["truth_brain"]) for row in rows]
    return made


def main() -> None:
    """Print one row per kind of head and method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--heads", type=int, default=8, help="synthetic heads of each kind, or none")
    parser.add_argument("--methods", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--cores", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pairs = make_heads(Path(folder), chosen.data / "label_maps", heads=chosen.heads, cores=chosen.cores)
        head = "aomic-piop2_sub-0001"
        pairs["real, against FreeSurfer"] = [
            (
                chosen.data / f"whole_head/{head}_T1w.nii.gz",
                chosen.data / f"mask_truth/{head}_fs-brainmask.nii.gz",
            )
        ]
        items = [(kind, *pair, method) for method in chosen.methods for kind in pairs for pair in pairs[kind]]
        found = list(map_in_processes(compare, items, workers=chosen.cores))
    print(
        "| heads | method | n | Dice, mean (lowest) | 95th percentile of the surface distance, mm, mean "
        "(highest) | exact brain kept, % | volume, % |"
    )
    print("| :-- | :-- | --: | --: | --: | --: | --: |")
    for method in chosen.methods:
        for kind in pairs:
            numbers = np.array([row[2:] for row in found if row[:2] == (kind, method)])
            if not len(numbers):
                continue
            overlap, distance_mm, kept, more = numbers.T
            print(
                f"| {kind} | {method} | {len(numbers)} | {overlap.mean():.3f} ({overlap.min():.3f}) | "
                f"{distance_mm.mean():.1f} ({distance_mm.max():.1f}) | "
                f"{kept.mean():.1f} | {more.mean():+.1f} |"
            )


if __name__ == "__main__":
    main()
