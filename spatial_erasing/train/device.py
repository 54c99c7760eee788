"""The device of each training, a free GPU or the CPU, and its precision, compilation and determinism."""

import ctypes
import os
import re
import sys
from pathlib import Path

import torch

from spatial_erasing.jobs.locks import reserve_gpu
from spatial_erasing.train.settings import ComputeSettings


def choose_device(wanted: str, *, trainings_per_gpu: int = 1) -> torch.device:
    """The device to compute on, a free GPU if `wanted` is "auto", or the CPU; the GPU is reserved.

    At most `trainings_per_gpu` processes share one GPU.
    """
    if wanted == "cpu":
        return torch.device("cpu")
    # before the first CUDA call, which fixes the visible devices
    reserve_gpu(holders=trainings_per_gpu)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_computing(
    device: torch.device, *, precision: str, compile: str | bool, deterministic: bool
) -> ComputeSettings:
    """Resolve "auto" for this device: bfloat16 and compiled on a GPU, neither on the CPU."""
    on_gpu = device.type == "cuda"
    return ComputeSettings(
        precision=("bfloat16" if on_gpu else "float32") if precision == "auto" else precision,
        compile=on_gpu if compile == "auto" else bool(compile),
        deterministic=deterministic,
    )


def prepare_process(settings: ComputeSettings) -> None:
    """Apply torch's process-wide settings before the first computation.

    TF32 is off: cuDNN would round float32 to it, with ten bits.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is not deterministic
    if settings.deterministic:
        os.environ.setdefault("TORCHINDUCTOR_DETERMINISTIC", "1")  # otherwise kernels are chosen by timing
    # the same switch as `use_deterministic_algorithms`, which imports the compiler: 2 s of every job
    torch.set_deterministic_debug_mode("error" if settings.deterministic else "default")
    # an unneeded pass over every new tensor
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = not settings.deterministic
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Let this process reuse the memory of freed tensors; without glibc this has no effect.

    glibc returns large blocks to the system, which zeroes their pages on the next allocation: a third of the
    time of a training step on the CPU.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
        # mapped blocks are always returned to the system, blocks of the heap only above the threshold
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, -1)


def device_name(device: torch.device) -> str:
    """The manufacturer's name of the device, such as "NVIDIA H100 80GB HBM3"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    processors = Path("/proc/cpuinfo")
    listed = processors.read_text() if processors.exists() else ""
    found = re.search(r"^model name\s*: (.+)$", listed, re.MULTILINE)
    return found[1] if found else "CPU"
