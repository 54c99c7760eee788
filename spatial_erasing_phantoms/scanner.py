"""Simulated scanners with different voxels, orientation, contrast, bias field and noise, and their scans."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spatial_erasing_phantoms.anatomy import rotation
from spatial_erasing_phantoms.fields import Field, Grid, draw_noise, lattice, stretch
from spatial_erasing_phantoms.head import Head
from spatial_erasing_phantoms.template import HEAD_BOX_MM

# orientation of the axes, voxel size in mm, tilt in degrees: geometries of public T1 data sets
GEOMETRIES = (
    ("LAS", (1.0, 1.333, 1.333), 0.0),
    ("LPS", (1.0, 1.0, 1.0), 6.0),
    ("PIR", (1.146, 1.146, 1.0), 4.0),
    ("RAS", (1.0, 0.95, 0.95), 0.0),
)
FIELD_OF_VIEW_MM = {"R": 192.0, "A": 240.0, "S": 240.0}
HEAD_CENTRE_MM = np.array([0.0, -18.0, -14.0])
# signal relative to white matter, lowest and highest of all scanners; the T1 priors of SynthSeg (Billot et
# al. 2023, Medical Image Analysis 86) have grey matter at 0.60 and CSF at 0.28
T1_SIGNAL = {
    "grey": (0.58, 0.72),
    "white": (1.0, 1.0),
    "csf": (0.18, 0.28),
    "meninges": (0.10, 0.18),
    "bone": (0.03, 0.08),
    "marrow": (0.30, 0.50),
    "fat": (0.70, 1.00),
    "muscle": (0.38, 0.50),
}


@dataclass(frozen=True)
class Scanner:
    """One simulated scanner.

    Args:
        orientation: world directions of the three axes of a file, such as LPS.
        voxel_mm: size of the voxels in the order of right, anterior and superior.
        signal: mean of each tissue relative to white matter.
        bias: logarithm of the receive field.
        noise: standard deviation of the complex noise relative to white matter.
        white_level: stored value of white matter.
    """

    name: str
    orientation: str
    voxel_mm: tuple[float, float, float]
    tilt_degrees: float
    signal: dict[str, float]
    bias: Field
    noise: float
    white_level: float


@dataclass(frozen=True)
class Acquisition:
    """One person's scan in a scanner.

    Args:
        signal: mean of each tissue relative to white matter, lesions included.
        bias: logarithm of the receive field, on a coarse lattice.
        texture: logarithm of the fine variation within tissues.
        noise: standard deviation of the complex noise relative to white matter.
        white_level: stored value of white matter.
        noise_seed: of the noise in the voxels.
    """

    signal: dict[str, float]
    bias: Field
    texture: Field
    noise: float
    white_level: float
    noise_seed: int


def draw_scanner(generator: np.random.Generator, name: str, *, geometry: int) -> Scanner:
    """A scanner of this name.

    The receive field has a standard deviation of 5 to 13 %, as in head coils between the middle and the rim
    of a head; noise of 1.5 to 3.5 % of white matter is a signal-to-noise ratio of 30 to 65.

    Args:
        geometry: index into GEOMETRIES, which are reused if there are more scanners.
    """
    orientation, voxel_mm, tilt_degrees = GEOMETRIES[geometry % len(GEOMETRIES)]
    return Scanner(
        name=name,
        orientation=orientation,
        voxel_mm=voxel_mm,
        tilt_degrees=tilt_degrees,
        signal={tissue: float(generator.uniform(*span)) for tissue, span in T1_SIGNAL.items()},
        bias=_draw_bias(generator, generator.uniform(0.05, 0.13)),
        noise=float(generator.uniform(0.015, 0.035)),
        white_level=float(np.exp(generator.uniform(np.log(200), np.log(1500)))),
    )


def draw_acquisition(generator: np.random.Generator, scanner: Scanner) -> Acquisition:
    """One scan: the scanner's contrast varied by 3 %, its bias field plus the person's, new noise."""
    jitter = {tissue: float(np.exp(generator.normal(0, 0.03))) for tissue in scanner.signal}
    own = _draw_bias(generator, 0.04)
    box = lattice(*HEAD_BOX_MM, 4.0)
    return Acquisition(
        signal={tissue: level * jitter[tissue] for tissue, level in scanner.signal.items()},
        bias=Field(scanner.bias.values + own.values, own.affine),
        texture=Field(0.03 * draw_noise(generator, 1, box.shape, sigma_nodes=0.8), box.affine),
        noise=scanner.noise * float(np.exp(generator.normal(0, 0.1))),
        white_level=scanner.white_level * float(np.exp(generator.normal(0, 0.1))),
        noise_seed=int(generator.integers(2**62)),
    )


def apply_acquisition(acquisition: Acquisition, head: Head, *, skull_stripped: bool = False) -> np.ndarray:
    """The stored image, int16: tissues times contrast times bias field under Rician noise.

    Args:
        skull_stripped: background outside the exact brain mask is 0.
    """
    signal = _mean_signal(head.tissues, acquisition.signal)
    if head.surroundings:
        around = stretch(_mean_signal(head.surroundings, acquisition.signal)[None], head.grid.shape)[0]
        signal.addcmul_(around, 1 - head.brain)
    for own in (head.relief, head.texture):
        if own is not None:
            signal += own
    points = head.grid.thinned(4.0).points()
    gain = (acquisition.bias.sample(points) + acquisition.texture.sample(points)).exp_()
    signal *= stretch(gain, head.grid.shape)[0]
    noise = torch.Generator().manual_seed(acquisition.noise_seed)
    real = torch.randn(signal.shape, generator=noise).mul_(acquisition.noise).add_(signal)
    imaginary = torch.randn(signal.shape, generator=noise).mul_(acquisition.noise)
    magnitude = torch.hypot(real, imaginary).mul_(acquisition.white_level)
    if skull_stripped:
        magnitude *= head.brain >= 0.5
    # the range of int16, in which the scan is stored
    return magnitude.round_().clamp_(0, 32767).to(torch.int16).numpy()


def draw_grid(generator: np.random.Generator, scanner: Scanner, spacing_mm: float) -> Grid:
    """The voxel grid of one scan: the scanner's orientation and tilt, varied by 1 degree and 3 mm.

    Args:
        spacing_mm: 1 for the scanner's own voxels; larger values enlarge them over the same field of view.
    """
    tilts = np.radians(scanner.tilt_degrees * np.array([1.0, 0.3, -0.2]) + generator.normal(0, 1, 3))
    turn = rotation(*tilts) if scanner.tilt_degrees else np.eye(3)
    centre_mm = HEAD_CENTRE_MM + generator.normal(0, 3, 3)
    voxel_mm = np.array(scanner.voxel_mm) * spacing_mm
    return oriented_grid(scanner.orientation, voxel_mm, centre_mm, turn=turn)


def oriented_grid(orientation: str, voxel_mm: np.ndarray, centre_mm: np.ndarray, *, turn: np.ndarray) -> Grid:
    """A grid around a centre, with axes in these directions before rotation.

    Args:
        orientation: one of L or R, P or A, I or S for each axis of the file, such as PIR.
        voxel_mm: size of the voxels in the order of right, anterior and superior.
        turn: rotation matrix applied to the axes.
    """
    axes = ["RAS".index(letter.translate(str.maketrans("LPI", "RAS"))) for letter in orientation]
    signs = [1 if letter in "RAS" else -1 for letter in orientation]
    shape = tuple(int(np.ceil(list(FIELD_OF_VIEW_MM.values())[axis] / voxel_mm[axis])) for axis in axes)
    affine = np.eye(4)
    for column, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
        affine[:3, column] = turn[:, axis] * sign * voxel_mm[axis]
    affine[:3, 3] = centre_mm - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


def _draw_bias(generator: np.random.Generator, strength: float) -> Field:
    """Logarithm of a receive field with a length scale of some 6 cm and this standard deviation."""
    box = lattice(*HEAD_BOX_MM, 24.0)
    return Field(strength * draw_noise(generator, 1, box.shape, sigma_nodes=2.5), box.affine)


def _mean_signal(shares: dict[str, Tensor], signal: dict[str, float]) -> Tensor:
    """Sum of the tissues' signals, weighted with their shares."""
    total = torch.zeros_like(next(iter(shares.values())))
    for tissue, share in shares.items():
        total.add_(share, alpha=signal[tissue])
    return total
