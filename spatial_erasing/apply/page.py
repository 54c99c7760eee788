"""The page of one scan: what looks abnormal and where, in one HTML file that opens without a network."""

import base64
import gzip
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from spatial_erasing.apply.shown import (
    Shown,
    high_intensity,
    shown_part,
    tilt_degrees,
    turned_volumes,
)
from spatial_erasing.jobs.atomic import write_text

TEMPLATES = Path(__file__).parent / "pages"
TOP_LEVEL = 255
CONSPICUOUS = 0.99  # what ranks slices in which nothing is marked
SLICES_SHOWN, SLICE_DISTANCE_MM = 6, 8.0
WHITE_OVER_BRAIN = 1.1  # white is this much brighter than nearly all of the brain; fat may be brighter still


def write_page(  # noqa: PLR0913  each is another thing about one scan
    path: str | Path,
    *,
    scan: np.ndarray,
    affine: np.ndarray,
    percentile: np.ndarray,
    mask: np.ndarray,
    candidates: Sequence[Mapping],
    summary: Mapping,
    spread: np.ndarray | None = None,
) -> None:
    """Write the page of one scan.

    Args:
        path: the HTML file.
        scan: intensities as stored, any orientation and unit, shape (i, j, k).
        affine: voxel indices to world mm (right, anterior, superior), shape (4, 4).
        percentile: share of healthy brain voxels with a lower score, 0 to 1, 0 outside the brain, shape of
            the scan.
        mask: what the model marks, same shape.
        candidates: marked regions; of each `number`, `ml`, `peak`, its centre `x_mm`, `y_mm`, `z_mm`, the
            axial `slice` in which it is shown, counted from 0 at the lowest, and `percentile`, 0 to 1.
        summary: `scan` (a name), `model`, `version`, `total_ml`, `unusual_percent`, `threshold`, `seconds`,
            `healthy_voxels` that percentiles come from, `card` (text), `checksums` (name to checksum), and
            `warnings`, each with `name`, `text`, `value`, `low`, `high` and `stop`: whether the model should
            not be used on this scan.
        spread: standard deviation of the reconstructions of an ensemble, 0 or more, same shape.

    Raises:
        ValueError: arrays that differ in shape, or percentiles outside 0 to 1.
    """
    maps = {"percentile": percentile, "mask": np.asarray(mask) > 0}
    maps |= {} if spread is None else {"spread": spread}
    _check(path, scan, maps)
    grid, (scan, *turned) = turned_volumes(affine, [scan, *maps.values()])
    maps = dict(zip(maps, turned, strict=True))
    shown = shown_part(grid, scan, maps)
    scan, maps = scan[shown.box], {name: values[shown.box] for name, values in maps.items()}
    decades = decades_of(summary["healthy_voxels"])
    levels, marked = percentile_levels(maps["percentile"], decades=decades), maps["mask"]
    arrays = {"percentile": shown.coarse(levels), "mask": shown.coarse(marked)}
    arrays["scan"] = shown.coarse(_grey(scan, brain=levels > 0), keep_highest=False)
    numbers = _numbers(shown, levels, marked, candidates, decades=decades)
    if spread is not None:
        numbers["spreadMax"] = float(maps["spread"].max()) or 1.0
        of_top = np.rint(maps["spread"] * (TOP_LEVEL / numbers["spreadMax"]))
        arrays["spread"] = shown.coarse(of_top.astype(np.uint8))
    page = _template().render(
        summary=summary,
        rows=candidates,
        stops=[warning for warning in summary["warnings"] if warning["stop"]],
        notes=[warning for warning in summary["warnings"] if not warning["stop"]],
        tilt_degrees=tilt_degrees(grid),
        steps=shown.steps,
        numbers=numbers,
        arrays={name: _packed(array) for name, array in arrays.items()},
    )
    write_text(path, page)


def decades_of(healthy_voxels: int) -> float:
    """Length of the percentile scale, 2 to 7: 10^-decades is a share of one voxel among the healthy ones."""
    return min(max(math.log10(healthy_voxels), 2.0), 7.0)  # 7: a percentile is a float32


def percentile_levels(percentile: np.ndarray, *, decades: float) -> np.ndarray:
    """Percentiles as 255 levels that are even in the share of healthy voxels above: 0.9, 0.99, 0.999, ...

    Level L > 0 stands for a share of 10^(-decades (L - 1) / 254), the last for that or less; level 0 for a
    percentile of 0. In even steps of the percentile itself, one voxel of 250 and one of 10,000 would look
    the same.

    Args:
        percentile: 0 to 1, any shape.
        decades: the smallest share is 10^-decades; see `decades_of`.
    """
    levels = np.zeros(percentile.shape, dtype=np.uint8)
    inside = percentile > 0
    above = np.clip(1 - percentile[inside], 10.0**-decades, 1)
    levels[inside] = np.rint(1 - (TOP_LEVEL - 1) / decades * np.log10(above))
    return levels


def matching_level(levels: np.ndarray, marked: np.ndarray) -> int:
    """The level from which on the map has most nearly as many voxels as the mask, 1 to 256 (no voxel)."""
    difference = np.abs(_voxels_from_level_on(levels) - np.count_nonzero(marked))
    return TOP_LEVEL + 1 - int(difference[::-1].argmin())  # the higher one of equals


def short_number(value: float | str | None) -> str:
    """A number with the digits that a reader needs; a word as it is, a dash for none."""
    if value is None:
        return "–"
    if isinstance(value, str | int | np.integer):
        return str(value)
    text = f"{value:.1f}" if 10 <= abs(value) < 1e5 else f"{value:.3g}"
    return text.replace("-", "−")


def percent_text(percentile: float, decades: float) -> str:
    """A percentile in percent, with the digits that the number of healthy voxels supports."""
    least = 10.0**-decades
    digits = max(2, math.ceil(decades - 2 - 1e-9))
    text = f"{100 * min(percentile, 1 - least):.{digits}f}"
    return text if percentile < 1 - least / 2 else f"> {text}"


def _template() -> Template:
    """The page before anything is filled in: text is escaped, and a value that is missing is an error."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FileSystemLoader(TEMPLATES),
    )
    environment.filters |= {"short": short_number, "percent": percent_text}
    return environment.get_template("scan.html")


def _check(path: str | Path, scan: np.ndarray, maps: Mapping[str, np.ndarray]) -> None:
    """Refuse what does not lie on the scan's grid or is no percentile."""
    for name, values in maps.items():
        if values.shape != scan.shape:
            raise ValueError(
                f"{path}: the {name} has the shape {values.shape}, the scan {scan.shape}. "
                "Bring it to the scan's grid with preprocess.geometry.return_to_scan."
            )
    low, high = float(maps["percentile"].min()), float(maps["percentile"].max())
    if not 0 <= low <= high <= 1:
        raise ValueError(f"{path}: percentiles reach from {low:g} to {high:g}. Expected shares, from 0 to 1.")


def _grey(scan: np.ndarray, *, brain: np.ndarray) -> np.ndarray:
    """Intensities as uint8: 0 black, white a little above the brightest of the brain."""
    white = WHITE_OVER_BRAIN * high_intensity(scan[brain], 99.5) or high_intensity(scan, 99.5) or 1.0
    return (np.clip(scan, 0, white) * np.float32(TOP_LEVEL / white)).astype(np.uint8)


def _numbers(
    shown: Shown, levels: np.ndarray, marked: np.ndarray, candidates: Sequence[Mapping], *, decades: float
) -> dict:
    """What the script of the page needs beside the arrays."""
    page_grid = shown.page_grid
    ml_from_level_on = _voxels_from_level_on(levels) * shown.grid.voxel_ml
    return {
        "shape": page_grid.shape,
        "voxelMm": page_grid.voxel_sizes_mm.tolist(),
        "affine": page_grid.affine.tolist(),
        "first": [part.start for part in shown.box],
        "steps": shown.steps,
        "slices": shown.grid.shape,
        "mlFromLevel": [None, *ml_from_level_on.round(3).tolist()],  # level 0 is no level
        "decades": decades,
        "level": matching_level(levels, marked),
        "candidates": [shown.page_index(_centre_mm(row), int(row["slice"])) for row in candidates],
        "strip": _most_marked_slices(
            shown, marked, conspicuous=levels >= percentile_levels(np.array(CONSPICUOUS), decades=decades)
        ),
    }


def _voxels_from_level_on(levels: np.ndarray) -> np.ndarray:
    """Numbers of voxels with at least level 1, 2, ... 256; no voxel has level 256."""
    counts = np.bincount(levels[levels > 0], minlength=TOP_LEVEL + 2)[1:]
    return counts[::-1].cumsum()[::-1]


def _most_marked_slices(shown: Shown, marked: np.ndarray, *, conspicuous: np.ndarray) -> list[dict]:
    """Axial slices with most marked voxels, some way apart, worst first; or else conspicuous ones."""
    counts = np.count_nonzero(marked, axis=(0, 1))
    ranked = counts if counts.any() else np.count_nonzero(conspicuous, axis=(0, 1))
    distance = SLICE_DISTANCE_MM / shown.grid.voxel_sizes_mm[2]
    chosen: list[int] = []
    for index in np.argsort(-ranked, kind="stable").tolist():
        is_apart = all(abs(index - other) >= distance for other in chosen)
        if is_apart and ranked[index] and len(chosen) < SLICES_SHOWN:
            chosen.append(index)
    ml = shown.grid.voxel_ml
    return [{"index": index // shown.steps[2], "ml": round(float(counts[index]) * ml, 3)} for index in chosen]


def _centre_mm(row: Mapping) -> tuple[float, float, float]:
    """Where a candidate lies: right, anterior, superior."""
    return float(row["x_mm"]), float(row["y_mm"]), float(row["z_mm"])


def _packed(array: np.ndarray) -> str:
    """An array, first axis fastest, compressed and in base64; the same text for the same values."""
    return base64.b64encode(gzip.compress(array.tobytes(order="F"), compresslevel=5, mtime=0)).decode()
