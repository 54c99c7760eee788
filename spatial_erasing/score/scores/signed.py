"""A residual of one sign: only voxels darker, or only voxels brighter, than their reconstruction.

Not in the paper. Lesions of one sequence may have one sign: tumours and strokes are dark on T1.
"""

from dataclasses import dataclass

import numpy as np

READS = "reconstruction"
SETTINGS = {"finds": {"enum": ["dark", "bright"]}}


@dataclass(frozen=True)
class Score:
    """max(0, ±(scan - reconstruction))."""

    finds: str  # "dark" or "bright" lesions

    def score_map(self, scan: np.ndarray, reconstruction: np.ndarray, _brain: np.ndarray) -> np.ndarray:
        """The difference if it has that sign, else 0, float32, shape (X, Y, Z)."""
        difference = scan.astype(np.float32) - reconstruction.astype(np.float32)
        return np.maximum(-difference if self.finds == "dark" else difference, 0)
