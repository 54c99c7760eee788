"""A device for each training, the GPU that no other job holds or the CPU, and how it computes there."""

import ctypes
import os
import re
import sys
from pathlib import Path

import torch

from spatial_erasing.jobs.gpus import reserve_one_gpu
from spatial_erasing.train.settings import ComputeSettings


def choose_device(wanted: str, *, trainings_per_gpu: int = 1) -> torch.device:
    """The device to compute on, reserved for this process where there is a choice.

    Args:
        wanted: "auto" takes a GPU if there is one, "cpu" never.
        trainings_per_gpu: how many processes may hold one GPU at a time.
    """
    if wanted == "cpu":
        return torch.device("cpu")
    reserve_one_gpu(holders=trainings_per_gpu)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_computing(
    device: torch.device, *, precision: str, compile: str | bool, deterministic: bool
) -> ComputeSettings:
    """What "auto" means on this device: bfloat16 and compiled on a GPU, neither on the CPU."""
    on_gpu = device.type == "cuda"
    return ComputeSettings(
        precision=("bfloat16" if on_gpu else "float32") if precision == "auto" else precision,
        compile=on_gpu if compile == "auto" else bool(compile),
        deterministic=deterministic,
    )


def prepare_process(settings: ComputeSettings) -> None:
    """Set what torch can only set for the whole process, before it computes anything.

    float32 is made to mean it: cuDNN would round to TF32, with ten bits.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is not deterministic
    if settings.deterministic:
        os.environ.setdefault("TORCHINDUCTOR_DETERMINISTIC", "1")  # no kernel chosen by a stopwatch
    # the same switch as `use_deterministic_algorithms`, which imports the compiler: 2 s of every job
    torch.set_deterministic_debug_mode("error" if settings.deterministic else "default")
    # filling new tensors is a pass over each of them, for nothing
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = not settings.deterministic
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Let this process keep the memory of freed tensors for the next ones.

    glibc gives large blocks back to the system, which hands them out again page by page, zeroed: a third of
    the time of a training step on the CPU. Where there is no glibc, nothing happens.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, -1)


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
