"""The settings of the preprocessing, as functions take them."""

from collections.abc import Sequence
from dataclasses import dataclass

# What finds the brain in a whole head, with the memory that a process needs at 256³.
NETWORKS = {"deepbet": 3000, "robex": 3000, "hd-bet": 4500}
MEMORY_MB_PER_WORKER = 1500  # without a skull strip


@dataclass(frozen=True)
class BrainSettings:
    """How a brain is prepared; the `preprocess` section of config.yaml explains each value."""

    resample: str
    spacing_mm: float
    brain_range_ml: Sequence[float]
    register: str
    bias_field: str
    n4_shrink_factor: int
    n4_iterations: Sequence[int]
    denoise: str
    denoise_time_step: float
    denoise_iterations: int
    denoise_patch_voxels: int
    denoise_search_voxels: int
    percentiles_of: str
    lower_percentile: float
    upper_percentile: float
    crop: bool

    @property
    def percentiles(self) -> dict[str, float]:
        """The two that become 0 and 1, as arguments."""
        return {"lower_percentile": self.lower_percentile, "upper_percentile": self.upper_percentile}
