"""A device for each training: the GPU that no other job holds, or the CPU."""

import torch

from spatial_erasing.gpus import reserve_one_gpu


def choose_device(wanted: str) -> torch.device:
    """The device to compute on, reserved for this process where there is a choice.

    Args:
        wanted: "auto" takes a GPU if there is one, "cpu" never.
    """
    if wanted == "cpu":
        return torch.device("cpu")
    reserve_one_gpu()
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
