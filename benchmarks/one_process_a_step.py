"""Preprocessing of a scan in the usual way: one process per step, files between steps.

    python benchmarks/one_process_a_step.py resample scan.nii.gz head.nii.gz

The steps are those of the paper in its order, on the whole head and with the libraries that this project
uses, each with as many threads as it likes. `preprocess.py` runs them and compares.
"""

import sys

import numpy as np
import SimpleITK as sitk

PADDED, NETWORK = (158, 191, 163), (64, 64, 64)


def resample(source: str, target: str) -> None:
    """To 1 mm along straight axes, by a cubic B-spline."""
    scan = sitk.DICOMOrient(sitk.ReadImage(source, sitk.sitkFloat32), "LPS")
    shape = [round(n * s) for n, s in zip(scan.GetSize(), scan.GetSpacing(), strict=True)]
    grid = sitk.Image(shape, sitk.sitkFloat32)
    grid.SetOrigin(scan.GetOrigin())
    grid.SetDirection(scan.GetDirection())
    sitk.WriteImage(sitk.Resample(scan, grid, sitk.Transform(), sitk.sitkBSpline), target)


def strip(source: str, target: str) -> None:
    """The brain by deepbet."""
    from deepbet import run_bet  # noqa: PLC0415  only this step imports torch

    run_bet([source], brain_paths=[target], no_gpu=True)


def denoise(source: str, target: str) -> None:
    """Three iterations of curvature flow."""
    brain = sitk.ReadImage(source, sitk.sitkFloat32)
    sitk.WriteImage(sitk.CurvatureFlow(brain, timeStep=0.125, numberOfIterations=3), target)


def standardise(source: str, target: str) -> None:
    """The brain's 1st and 99th percentile to 0 and 1."""
    image = sitk.ReadImage(source)
    values = sitk.GetArrayFromImage(image)
    low, high = np.percentile(values[values > 0], [1, 99])
    scaled = sitk.GetImageFromArray(np.clip((values - low) / (high - low), 0, 1) * (values > 0))
    scaled.CopyInformation(image)
    sitk.WriteImage(scaled, target)


def shrink(source: str, target: str) -> None:
    """Crop to the brain, pad, average down to 64³."""
    values = sitk.GetArrayFromImage(sitk.ReadImage(source)).T
    occupied = np.argwhere(values > 0)
    start, stop = occupied.min(axis=0), occupied.max(axis=0) + 1
    box = values[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    missing = [max(w - n, 0) for w, n in zip(PADDED, box.shape, strict=True)]
    padded = np.pad(box, [(m // 2, m - m // 2) for m in missing])
    smoothed = sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(padded.T), 1.0)
    grid = sitk.Image(NETWORK, sitk.sitkFloat32)
    grid.SetSpacing([n / m for n, m in zip(padded.shape, NETWORK, strict=True)])
    small = sitk.Resample(smoothed, grid, sitk.Transform(), sitk.sitkLinear)
    np.save(target, sitk.GetArrayFromImage(small).T)


STEPS = {step.__name__: step for step in (resample, strip, denoise, standardise, shrink)}

if __name__ == "__main__":
    STEPS[sys.argv[1]](*sys.argv[2:])
