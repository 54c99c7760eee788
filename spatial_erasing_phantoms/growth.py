"""Growth of lesions: volumes, seeds and irregular bodies of a given volume."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spatial_erasing_phantoms.anatomy import rotation
from spatial_erasing_phantoms.fields import Field, Grid, draw_noise, move
from spatial_erasing_phantoms.head import Head

NODES = 40


@dataclass(frozen=True)
class Site:
    """The lattice around a seed on which a lesion grows.

    Args:
        grid: the lattice in world space.
        points_mm: its points, shape (3, n, n, n).
        seed_mm: centre of the lattice.
        brain, white, tissue: shares of brain, of white matter and of grey with white matter at the points.
        radius_mm: of the ball with the lesion's volume.
    """

    grid: Grid
    points_mm: Tensor
    seed_mm: Tensor
    brain: Tensor
    white: Tensor
    tissue: Tensor
    radius_mm: float

    def ball_mm(self, generator: np.random.Generator, *, wobble: float, shift: float = 0.0) -> Tensor:
        """Minus the distance from a centre near the seed, in a stretched space with an irregular border.

        Args:
            wobble: standard deviation of the border relative to the radius.
            shift: standard deviation of the centre's offset relative to the radius.
        """
        offset = torch.from_numpy(generator.normal(0, shift * self.radius_mm, 3)).float()
        stretching = np.exp(generator.normal(0, 0.2, 3))
        matrix = np.eye(4)
        turn = rotation(*generator.uniform(0, np.pi, 3))
        matrix[:3, :3] = np.diag(stretching / np.cbrt(stretching.prod())) @ turn
        from_seed = move(matrix, self.points_mm - (self.seed_mm + offset).view(3, 1, 1, 1))
        coarse = draw_noise(generator, 1, self.grid.shape, sigma_nodes=NODES / 10)[0]
        fine = draw_noise(generator, 1, self.grid.shape, sigma_nodes=NODES / 25)[0]
        return wobble * self.radius_mm * (coarse + 0.4 * fine) - from_seed.square().sum(0).sqrt()

    def filled(self, depth_mm: Tensor, volume_ml: float) -> Tensor:
        """The same body, grown or shrunk to this volume inside the brain."""
        nodes = max(1, round(volume_ml / self.grid.voxel_ml))
        available = depth_mm[self.brain >= 0.5]
        return depth_mm - available.kthvalue(max(1, len(available) - nodes)).values


def site(head: Head, seed_mm: np.ndarray, volume_ml: float) -> Site:
    """A lattice of 4.4 radii around a seed, with its tissue shares."""
    radius_mm = float(np.cbrt(3000 * volume_ml / (4 * np.pi)))
    # an irregular border reaches beyond the ball of the same volume
    step_mm = 4.4 * radius_mm / (NODES - 1)
    affine = np.diag([step_mm] * 3 + [1.0])
    affine[:3, 3] = seed_mm - 2.2 * radius_mm
    grid = Grid((NODES, NODES, NODES), affine)
    shares = torch.stack([head.brain, head.tissues["white"], head.tissues["grey"]])
    brain, white, grey = Field(shares, head.grid.affine).sample(grid.points())
    return Site(grid, grid.points(), torch.from_numpy(seed_mm).float(), brain, white, grey + white, radius_mm)


def draw_volume_ml(
    generator: np.random.Generator, *, median_ml: float, spread: float, limits_ml: tuple[float, float]
) -> float:
    """A log-normal volume, redrawn until it is within the limits."""
    while True:
        volume_ml = float(np.exp(generator.normal(np.log(median_ml), spread)))
        if limits_ml[0] <= volume_ml <= limits_ml[1]:
            return volume_ml


def draw_seed_mm(
    generator: np.random.Generator, head: Head, territories: tuple, *, tissue: Tensor
) -> np.ndarray:
    """A random brain voxel, weighted by territories, in world mm; left and right are equally likely.

    Args:
        territories: rows of weight, centre and spread; centre and spread as fractions of the brain's box
            along right, anterior and superior, the first axis measured outwards from the middle.
        tissue: share of tissue that may contain a seed, shape of the head's grid.
    """
    places = _place_in_brain(head)
    likelihood = torch.zeros(head.grid.shape)
    for weight, *shape in territories:
        centre, spread = (torch.tensor(values).view(3, 1, 1, 1) for values in shape)
        density = torch.exp(-((places - centre) / spread).square().sum(0) / 2) * (tissue >= 0.7)
        # normalised, so that a territory's weight does not depend on its volume
        likelihood += weight * density / density.sum().clamp(min=1e-9)
    # numpy refuses float32 probabilities, whose sum is not close enough to 1
    weights = likelihood.double().ravel().numpy()
    chosen = generator.choice(len(weights), p=weights / weights.sum())
    return (head.grid.affine @ [*np.unravel_index(chosen, head.grid.shape), 1])[:3]


def _place_in_brain(head: Head) -> Tensor:
    """Position in the brain's box, 0 to 1; along the first axis the distance from its middle, 0 to 0.5."""
    points = head.grid.points()
    inside = points[:, head.brain >= 0.5]
    low, high = (end(dim=1).values.view(3, 1, 1, 1) for end in (inside.min, inside.max))
    places = (points - low) / (high - low)
    places[0] = (places[0] - 0.5).abs()
    return places
