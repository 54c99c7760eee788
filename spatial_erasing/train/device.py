"""A device for each training: the GPU that no other job holds, or the CPU."""

import re
from pathlib import Path

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


def device_name(device: torch.device) -> str:
    """What the device is called by its maker, such as "NVIDIA H100 80GB HBM3"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    processors = Path("/proc/cpuinfo")
    found = (
        re.search(r"^model name\s*: (.+)$", processors.read_text(), re.MULTILINE)
        if processors.exists()
        else None
    )
    return found[1] if found else "CPU"
