"""What stays of a scan's intensities when a factor and an offset change them: standardised moments."""

import numpy as np

MINIMUM_VOXELS = 10_000  # of fewer the moments say little; a brain at 4 mm has 15,000 or more
ORDERS = 6


class Moments:
    """Power sums of the intensities that differ from the background, gathered piece by piece.

    Args:
        background: the intensity of the first voxel, which lies in a corner.
    """

    def __init__(self, background: float) -> None:
        self.background = background
        self.sums = np.zeros(ORDERS + 1)

    def add(self, intensities: np.ndarray, counts: np.ndarray | np.uint64) -> None:
        """Count a piece.

        Args:
            intensities: float64, any shape.
            counts: how often each occurs.
        """
        above = intensities - self.background
        power = (above != 0) * np.float64(counts)
        for order in range(ORDERS + 1):
            self.sums[order] += power.sum()
            power *= above

    def __str__(self) -> str:
        """For a table: how many voxels, then their third to sixth standardised central moment; "" of few.

        E[(x - mean)^k] follows from the sums of x^j by the binomial theorem; divided by the k-th power of the
        standard deviation it is the same for every a x + b, a above 0.
        """
        count = self.sums[0]
        if count < MINIMUM_VOXELS:
            return ""
        from_mean = np.polynomial.Polynomial([-self.sums[1] / count, 1.0])
        central = [
            (np.asarray((from_mean**order).coef, np.float64) * self.sums[: order + 1]).sum() / count
            for order in range(2, ORDERS + 1)
        ]
        scaled = [value / central[0] ** (order / 2) for order, value in enumerate(central[1:], start=3)]
        if not np.isfinite(scaled).all():
            return ""
        return " ".join([f"{count:.0f}", *(f"{value:.6g}" for value in scaled)])
