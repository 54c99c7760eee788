"""The paper's score: the l1 distance of each voxel from its reconstruction (Bengs et al. 2021, 2.3)."""

from dataclasses import dataclass

import numpy as np

READS = "reconstruction"
SETTINGS: dict[str, dict] = {}


@dataclass(frozen=True)
class Score:
    """|scan - reconstruction|."""

    def score_map(self, scan: np.ndarray, reconstruction: np.ndarray, _brain: np.ndarray) -> np.ndarray:
        """Absolute difference, float32, shape (X, Y, Z)."""
        return np.abs(scan.astype(np.float32) - reconstruction.astype(np.float32))
