"""Time post-processing and counting against scipy, SimpleITK and scikit-learn on one volume.

    OMP_NUM_THREADS=1 python benchmarks/postprocess.py [--grid 64] [--repeats 5]

The volume is a residual inside an ellipsoid of the size of a brain (52 x 62 x 54 voxels of 64) and the time
the best of the repeats, one thread each. Every row says whether both sides gave the same numbers.
"""

import argparse
import time
from functools import partial

import numpy as np
import scipy.ndimage
import SimpleITK as sitk
from sklearn.metrics import average_precision_score

from spatial_erasing.evaluate.counts import count_scores
from spatial_erasing.evaluate.curves import average_precision
from spatial_erasing.score.postprocess import erode_in_plane, median_filter


def residual_in_brain(grid: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A synthetic residual (float32), its brain mask and a lesion in it."""
    axes = np.indices((grid,) * 3) - (grid - 1) / 2
    half_axes = np.array([26, 31, 27]) * grid / 64
    brain = sum((axis / half) ** 2 for axis, half in zip(axes, half_axes, strict=True)) <= 1
    lesion = sum((axis - grid / 8) ** 2 for axis in axes) <= (grid / 10) ** 2
    noise = np.random.default_rng(0).normal(scale=0.1, size=brain.shape)
    return (np.abs(noise + 0.2 * lesion) * brain).astype(np.float32), brain, lesion


def best_seconds(function, repeats: int):
    """Shortest time of several calls, and the return value."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def simpleitk_median(residual: np.ndarray, size: int) -> np.ndarray:
    """SimpleITK's median. It repeats the border voxel instead of mirroring: the border's values differ."""
    return sitk.GetArrayFromImage(sitk.Median(sitk.GetImageFromArray(residual), [size // 2] * 3))


def comparisons(residual: np.ndarray, brain: np.ndarray, lesion: np.ndarray):
    """Yield the task, our function, the other tool and its function."""
    for size in (3, 5, 7):
        ours = partial(median_filter, residual, size)
        yield f"median {size}", ours, "scipy", partial(scipy.ndimage.median_filter, residual, size)
        yield f"median {size}", ours, "SimpleITK", partial(simpleitk_median, residual, size)
    cross = scipy.ndimage.generate_binary_structure(2, 1)[:, :, None]
    scipy_erosion = partial(scipy.ndimage.binary_erosion, brain, cross, iterations=2)
    yield "erosion, 2 times", partial(erode_in_plane, brain, 2), "scipy", scipy_erosion
    score = residual.astype(np.float16)
    counted_area = partial(area_by_counting, score, lesion)
    sklearn_area = partial(average_precision_score, lesion.ravel(), score.ravel())
    yield "count and average precision", counted_area, "sklearn", sklearn_area


def area_by_counting(score: np.ndarray, lesion: np.ndarray) -> float:
    """Average precision of one volume, counting included."""
    return average_precision(count_scores(score, lesion))


def verdict(ours, theirs) -> str:
    """Where two results agree: everywhere, inside the border of the grid, or not."""
    inner = (slice(3, -3),) * np.ndim(ours)
    if np.allclose(ours, theirs, rtol=0, atol=1e-9):
        return "yes"
    return "inside" if np.ndim(ours) and np.array_equal(ours[inner], theirs[inner]) else "NO"


def main() -> None:
    """Print one line per comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", type=int, default=64, help="voxels along each axis")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    print(f"{'what':<28}{'ours, ms':>10}{'theirs, ms':>12}{'times faster':>14}  {'than':<11}same numbers")
    for what, ours, name, theirs in comparisons(*residual_in_brain(arguments.grid)):
        our_seconds, our_result = best_seconds(ours, arguments.repeats)
        their_seconds, their_result = best_seconds(theirs, arguments.repeats)
        print(
            f"{what:<28}{our_seconds * 1e3:>10.2f}{their_seconds * 1e3:>12.2f}"
            f"{their_seconds / our_seconds:>14.1f}  {name:<11}{verdict(our_result, their_result)}"
        )


if __name__ == "__main__":
    main()
