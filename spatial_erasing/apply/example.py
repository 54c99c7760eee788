"""The example inside a bundle: a synthetic brain, what must come out, and the comparison of the two."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from spatial_erasing.apply.archive import pack_arrays, readable, unpack_arrays, write_archive
from spatial_erasing.apply.bundle import Bundle, open_bundle
from spatial_erasing.apply.one_scan import Asked, Model, examine
from spatial_erasing.apply.settings import ModelSettings
from spatial_erasing.images.volumes import read_volume

SCAN, EXPECTED = "example/scan.nii.gz", "example/expected.npz"
ADULT_MM = np.array([66.0, 82.0, 62.0])  # semi-axes of an ellipsoid of 1.4 litres
SPACING_MM = 3.0
TOLERANCE = 0.01  # of a score: float16 and the convolutions of another processor


def example_scan(settings: ModelSettings) -> nib.Nifti1Image:
    """A brain without skull: bright white matter, a darker rim, dark ventricles, a dark lesion on the left.

    Args:
        settings: of the model, whose grid it must fit.
    """
    window_mm = np.multiply(settings.stack.padded_grid_voxels, settings.preparation.spacing_mm)
    semi_axes_mm = np.minimum(ADULT_MM, 0.45 * window_mm)
    spacing_mm = min(SPACING_MM, float(semi_axes_mm.min()) / 15)
    shape = np.ceil(2 * semi_axes_mm / spacing_mm).astype(int) + 8
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, 3] = -spacing_mm * (shape - 1) / 2
    place = np.moveaxis(np.indices(shape), 0, -1) * spacing_mm + affine[:3, 3]
    place /= semi_axes_mm
    radius = np.linalg.norm(place, axis=-1)
    wave = 6 * np.sin(9 * place[..., 0]) * np.cos(7 * place[..., 1]) + 4 * np.sin(8 * place[..., 2])
    values = np.where(radius < 0.8, 150, 95) + wave
    values[np.linalg.norm(place * [3, 1.5, 2.5], axis=-1) < 0.6] = 40
    values[np.linalg.norm(place - [-0.5, 0.2, 0.1], axis=-1) < 0.2] = 55
    image = nib.Nifti1Image(np.where(radius < 1, values, 0).clip(0, 255).astype(np.uint8), affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    return image


def example_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The example of a bundle with these files: its scan, and the score that the model gives it here.

    Args:
        files: of the bundle, all but its example.
    """
    with tempfile.TemporaryDirectory() as folder:
        path, scan = Path(folder, "model.zip"), Path(folder, "scan.nii.gz")
        write_archive(path, files)
        model = Model(open_bundle(path))
        nib.save(example_scan(model.settings), scan)
        content = scan.read_bytes()
        return {SCAN: content, EXPECTED: pack_arrays({"score": _score(model, content)})}


def _score(model: Model, scan: bytes) -> np.ndarray:
    """The score map of the example on the networks' grid."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "scan.nii.gz")
        path.write_bytes(scan)
        return examine(read_volume(path), model, Asked(skull_strip="none")).on_grid["score"]


def check_example(bundle: Bundle, *, device: str = "cpu") -> dict[str, Any]:
    """Run the example of a bundle and compare.

    Args:
        bundle: opened, so that its checksums are right.
        device: where its networks compute.

    Returns:
        The largest difference of a score, the tolerance, and whether it is kept.

    Raises:
        ValueError: the bundle holds no example, or one that cannot be used.
    """
    with readable(bundle.path, EXPECTED):
        expected = unpack_arrays(bundle.files[EXPECTED])["score"]
        scan = bundle.files[SCAN]
    found = _score(Model(bundle, device=device), scan)
    if found.shape != expected.shape:
        raise ValueError(f"{bundle.path}: its example has the shape {expected.shape}, found {found.shape}.")
    difference = float(np.abs(found.astype(np.float32) - expected.astype(np.float32)).max())
    return {"difference": difference, "tolerance": TOLERANCE, "is_same": difference <= TOLERANCE}
