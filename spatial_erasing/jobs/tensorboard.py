"""Learning curves for TensorBoard, written while a network trains.

tensorboardX writes the files and asks for nothing but protobuf; TensorBoard itself is the reader's choice:
`pip install tensorboard`, then `tensorboard --logdir results/logs/tensorboard`.
"""

from collections.abc import Mapping
from pathlib import Path

from tensorboardX import SummaryWriter


class CurveWriter:
    """Writes each row of a training's history as scalars over its steps, into a folder of its own."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = folder
        self.writer: SummaryWriter | None = None

    def __call__(self, row: Mapping[str, float]) -> None:
        """Add a row; "training_l1" and "validation_l1" become l1/training and l1/validation, one chart.

        With the first row, TensorBoard forgets what an earlier start has written from its step on.
        """
        if self.writer is None:
            step = row["step"]
            self.writer = SummaryWriter(
                str(self.folder), flush_secs=1, purge_step=step, filename_suffix=f".from-{step}"
            )
        for name, value in row.items():
            if name != "step":
                split, _, quantity = name.partition("_")
                is_split = split in ("training", "validation")
                self.writer.add_scalar(f"{quantity}/{split}" if is_split else name, value, row["step"])
        self.writer.flush()
