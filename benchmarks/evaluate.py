"""Time post-processing, counting, threshold, metrics and resampling against scipy and scikit-learn.

    python benchmarks/evaluate.py [--volumes 385] [--plain-volumes 8] [--grid 64] [--workers 2]

Volumes are synthetic: noise in an ellipsoid of the size of a brain (52 x 62 x 54 voxels of 64) with a lesion
of 1 to 10 voxels' radius. The plain way is scipy's binary_erosion and median_filter, scikit-learn's
average_precision_score and precision_recall_curve on all voxels at once, and Dice by numpy. It runs on fewer
volumes, one process, and its seconds are multiplied up, which flatters its sorting. Seconds of a volume are
those of the processor, all others those of the clock. The last lines say how far both ways agree.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from spatial_erasing.evaluate.bootstrap import draw_weights
from spatial_erasing.evaluate.counts import SubjectCounts, count_scores, load_counts, save_counts
from spatial_erasing.evaluate.curves import best_dice, dice_at
from spatial_erasing.evaluate.metrics import metrics_of_counts, slice_scores
from spatial_erasing.evaluate.resamples import resample_dataset
from spatial_erasing.jobs.parallel import map_in_processes
from spatial_erasing.score.postprocess import post_process
from spatial_erasing.threshold.search import greedy_threshold

EROSIONS, MEDIAN = 2, 5


def make_volume(index: int, grid: int) -> tuple[np.ndarray, ...]:
    """Scan and reconstruction (float16), brain and lesion of one synthetic subject."""
    rng = np.random.default_rng(index)
    axes = np.indices((grid,) * 3) - (grid - 1) / 2
    half_axes = np.array([26, 31, 27]) * grid / 64
    brain = sum((axis / half) ** 2 for axis, half in zip(axes, half_axes, strict=True)) <= 1
    centre, radius = rng.uniform(-grid / 6, grid / 6, size=3), grid / 64 * rng.uniform(1, 10)
    lesion = sum((axis - place) ** 2 for axis, place in zip(axes, centre, strict=True)) <= radius**2
    scan = np.full(brain.shape, 0.5, np.float16) * brain
    noise = rng.normal(scale=0.1, size=brain.shape) + rng.uniform(0.02, 0.15) * lesion
    return scan, (scan + noise * brain).astype(np.float16), brain, lesion


def evaluate_volume(index: int, *, grid: int) -> tuple[int, SubjectCounts, np.ndarray, np.ndarray]:
    """Ours: counts and slice scores of one subject, and the seconds of its three steps."""
    scan, reconstruction, brain, lesion = make_volume(index, grid)
    times = [time.process_time()]
    residual = np.abs(scan.astype(np.float32) - reconstruction.astype(np.float32))
    score = post_process(residual, brain, erosion_iterations=EROSIONS, median_size_voxels=MEDIAN)
    times.append(time.process_time())
    counts = SubjectCounts.collect([str(index)], [count_scores(score, lesion)])
    times.append(time.process_time())
    slices = slice_scores(score)
    times.append(time.process_time())
    return index, counts, slices, np.diff(times)


def plain_scores(volumes: list[tuple[np.ndarray, ...]]) -> np.ndarray:
    """Score maps by scipy."""
    import scipy.ndimage  # noqa: PLC0415 - our way needs neither scipy nor scikit-learn

    cross = scipy.ndimage.generate_binary_structure(2, 1)[:, :, None]
    maps = []
    for scan, reconstruction, brain, _ in volumes:
        residual = np.abs(scan.astype(np.float32) - reconstruction.astype(np.float32))
        residual *= scipy.ndimage.binary_erosion(brain, cross, iterations=EROSIONS)
        maps.append(scipy.ndimage.median_filter(residual, MEDIAN).astype(np.float16))
    return np.stack(maps)


def plain_numbers(maps: np.ndarray, lesions: np.ndarray, threshold: float) -> dict[str, float]:
    """AUPRC, best Dice and Dice at a threshold from all pooled voxels, by scikit-learn."""
    from sklearn.metrics import average_precision_score, precision_recall_curve  # noqa: PLC0415 - see above

    score, truth = maps.ravel().astype(np.float64), lesions.ravel()
    precision, recall, _ = precision_recall_curve(truth, score)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    predicted = score >= threshold
    return {
        "average_precision": average_precision_score(truth, score),
        "dice_dataset_best_possible": f1.max(),
        "dice_dataset": 2 * (predicted & truth).sum() / (predicted.sum() + truth.sum()),
    }


def timed(function: Callable, *arguments: object, **keywords: object) -> tuple[float, object]:
    """Seconds of a call, and its return value."""
    start = time.perf_counter()
    result = function(*arguments, **keywords)
    return time.perf_counter() - start, result


def evaluate_ours(volumes: int, *, grid: int, workers: int) -> tuple[SubjectCounts, np.ndarray]:
    """All subjects in processes; the counts in order, and the seconds of each step of each subject."""
    work = partial(evaluate_volume, grid=grid)
    found = sorted(map_in_processes(work, range(volumes), workers=workers), key=lambda one: one[0])
    entries = (counts.of(0) for _, counts, _, _ in found)
    names = [str(index) for index, *_ in found]
    return SubjectCounts.collect(names, entries), np.array([seconds for *_, seconds in found])


def search_threshold(counts: SubjectCounts) -> float:
    """The greedy search on the first third of the subjects, as if they were for validation."""
    pooled = counts.pooled(np.arange(len(counts)) < len(counts) / 3)
    return greedy_threshold(partial(dice_at, pooled), lower=0.0, upper=1.0, iterations=10).threshold


def peak_mb() -> str:
    """Largest memory of this process and of its largest child."""
    own, child = (
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return f"peak {own:.0f} MB, a worker {child:.0f} MB"


def report_ours(options: argparse.Namespace) -> tuple[SubjectCounts, float]:
    """Run our code, print its times, and return the counts and the threshold."""
    wall, (counts, seconds) = timed(
        evaluate_ours, options.volumes, grid=options.grid, workers=options.workers
    )
    search, threshold = timed(search_threshold, counts)
    evaluation, _ = timed(metrics_of_counts, map(counts.of, range(len(counts))), threshold=threshold)
    weights = draw_weights(len(counts), samples=options.samples, seed=1)
    resampling, _ = timed(
        resample_dataset, counts, weights, threshold=threshold, size_percentiles=(33.3, 66.7)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "counts.npz"
        saving, _ = timed(save_counts, path, counts, threshold=threshold)
        reading, _ = timed(load_counts, path)
        size_mb = path.stat().st_size / 1e6
    post_processing, counting, _ = 1000 * seconds.mean(axis=0)
    print(f"ours, {options.volumes} volumes of {options.grid}³, {options.workers} processes; {peak_mb()}")
    print(f"  volumes, post-processing and counts  {wall:8.2f} s, including the generation of the volumes")
    print(f"    erosion and median, per volume     {post_processing:8.1f} ms")
    print(f"    counting, per volume               {counting:8.1f} ms")
    print(f"  threshold search                     {search:8.2f} s")
    print(f"  metrics                              {evaluation:8.2f} s")
    print(f"  {options.samples} resamples of all metrics      {resampling:8.2f} s")
    print(f"  counts.npz: {size_mb:.2f} MB         {saving:8.2f} s to write, {reading:.2f} s to read")
    print(f"  all                                  {wall + search + evaluation + resampling + saving:8.2f} s")
    return counts, threshold


def report_plain(options: argparse.Namespace, counts: SubjectCounts, threshold: float) -> None:
    """Run scipy and scikit-learn on fewer volumes, print times and the difference of the results."""
    made = [make_volume(index, options.grid) for index in range(options.plain_volumes)]
    start = time.process_time()
    scoring, maps = timed(plain_scores, made)
    processor = time.process_time() - start
    lesions = np.stack([lesion for *_, lesion in made])
    curves, expected = timed(plain_numbers, maps, lesions, threshold)
    total = (scoring + curves) * options.volumes / options.plain_volumes
    found, _ = metrics_of_counts(map(counts.of, range(options.plain_volumes)), threshold=threshold)
    print(f"plain, {options.plain_volumes} volumes, 1 process; {peak_mb()}")
    print(f"  erosion and median, per volume       {1000 * processor / options.plain_volumes:8.1f} ms")
    print(f"  curves and Dice                      {curves:8.2f} s")
    print(f"  extrapolated to {options.volumes} volumes          {total:8.2f} s, without any resample")
    print(f"largest difference between both, on {options.plain_volumes} volumes, {maps.size} voxels:")
    for name, value in expected.items():
        print(f"  {name:36} {abs(found[name] - value):.1e}")
    same_maps = all(
        np.array_equal(counts.of(k).voxels, count_scores(maps[k], lesions[k]).voxels)
        for k in range(len(maps))
    )
    print(f"  score maps have the same counts      {same_maps}")


def report_resample(options: argparse.Namespace, counts: SubjectCounts, threshold: float) -> None:
    """Print the difference of a resampled metric and the same metric of the resampled pool."""
    weights = draw_weights(len(counts), samples=5, seed=1)
    found = resample_dataset(counts, weights, threshold=threshold, size_percentiles=(33.3, 66.7))
    pools = [counts.pooled(times) for times in weights]
    expected, _ = zip(*(metrics_of_counts([pool], threshold=threshold) for pool in pools), strict=True)
    for name in ("average_precision", "dice_dataset"):
        largest = max(abs(a - b[name]) for a, b in zip(found[name][0], expected, strict=True))
        print(f"  {name}, resampled and pooled: {largest:.1e}")
    best, at_threshold = best_dice(pools[0])[0], expected[0]["dice_dataset"]
    print(f"  best possible Dice {best:.3f}, at the threshold {at_threshold:.3f}")


def main() -> None:
    """Run both and print their times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--volumes", type=int, default=385, help="test subjects (the paper has 202 + 183)")
    parser.add_argument("--plain-volumes", type=int, default=8)
    parser.add_argument("--grid", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--samples", type=int, default=2000)
    options = parser.parse_args()
    counts, threshold = report_ours(options)
    report_plain(options, counts, threshold)
    report_resample(options, counts, threshold)


if __name__ == "__main__":
    main()
