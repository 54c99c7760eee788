"""Learning curves for TensorBoard, written while a network trains.

tensorboardX writes the files and asks for nothing but protobuf; TensorBoard itself is the reader's choice:
`pip install tensorboard`, then `tensorboard --logdir results/logs/tensorboard`.
"""

from collections.abc import Mapping
from pathlib import Path

from tensorboardX import SummaryWriter


class CurveWriter:
    """Writes rows of a training's history as scalars over its steps; call it with each new row."""

    def __init__(self, folder: str | Path) -> None:
        self.writer = SummaryWriter(str(folder), flush_secs=1)

    def __call__(self, row: Mapping[str, float]) -> None:
        """Add a row; "training_l1" and "validation_l1" become l1/training and l1/validation, one chart."""
        for name, value in row.items():
            if name != "step":
                split, _, quantity = name.partition("_")
                is_split = split in ("training", "validation")
                self.writer.add_scalar(f"{quantity}/{split}" if is_split else name, value, row["step"])
        self.writer.flush()
