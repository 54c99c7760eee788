"""Checks that compiled and recorded training gives the same results as plain training, for on_gpu.py.

Each check yields a quantity, its result, and whether the check passed. Gradients are those of the first step
of preset a, beside float32 on the CPU with the same draws; distances are the norm of the difference over the
norm. On a CPU nothing is compiled or recorded, which only tests the checks themselves.
"""

import argparse
import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor

from spatial_erasing.train.device import prepare_process
from spatial_erasing.train.engine import Trainer
from spatial_erasing.train.record import RecordedStep, copied
from spatial_erasing.train.settings import ComputeSettings
from train import make_training

TOLERANCES = {"float32": 1e-3, "bfloat16": 0.1}
CPU = torch.device("cpu")
Check = tuple[str, str, bool]


@dataclass(frozen=True)
class Size:
    """The size of the trainings: the edge of the volumes, the batch, and the steps, with three validations.

    Args:
        device: "auto" or "cpu".
        grid: voxels along each axis.
        batch_size: of a step.
        steps: of the trainings that are compared; those in processes of their own have three times as many.
    """

    device: str = "auto"
    grid: int = 64
    batch_size: int = 32
    steps: int = 20

    @property
    def on_gpu(self) -> bool:
        """Whether steps are compiled and recorded."""
        return self.device == "auto"

    def trainer(self, name: str, *, on_cpu: bool = False, **computing: object) -> Trainer:
        """A training on synthetic volumes."""
        device = "cpu" if on_cpu else self.device
        options = argparse.Namespace(device=device, batch_size=self.batch_size, grid=self.grid, volumes=64)
        ends = {"maximum_steps": 3 * self.steps, "validate_every_steps": self.steps}
        return make_training(options, name, "a", ComputeSettings(**computing), **ends)


def gradient(trainer: Trainer, inputs: tuple[Tensor, ...]) -> Tensor:
    """The gradient of all weights as one vector, on the CPU."""
    trainer._losses(*(part.to(trainer.device) for part in inputs))[0].backward()
    found = torch.cat([weight.grad.flatten().double().cpu() for weight in trainer.network.parameters()])
    trainer.optimiser.zero_grad(set_to_none=True)
    return found


def weights_after(trainer: Trainer, steps: int) -> Tensor:
    """All weights after some steps, as one vector on the CPU."""
    for step in range(steps):
        trainer.train_step(step)
    return torch.cat([weight.detach().flatten().double().cpu() for weight in trainer.network.parameters()])


def distance(ours: Tensor, reference: Tensor) -> float:
    """Norm of the difference over the norm of the reference."""
    return float(torch.linalg.vector_norm(ours - reference) / torch.linalg.vector_norm(reference))


def check_precision(name: str, precision: str, size: Size) -> Iterator[Check]:
    """One precision, launched, compiled and replayed, compared with float32 on the CPU and on the GPU."""
    prepare_process(ComputeSettings())
    plain = size.trainer(name)
    inputs = plain._inputs(*plain._drawn(0))
    exact = gradient(size.trainer(name, on_cpu=True), inputs)
    weights = weights_after(plain, size.steps)
    launched = size.trainer(name, precision=precision)
    compiled = size.trainer(name, precision=precision, compile=size.on_gpu)
    for what, trainer in (("gradient, launched", launched), ("gradient, compiled", compiled)):
        far, most = distance(gradient(trainer, inputs), exact), TOLERANCES[precision]
        yield what, f"distance {far:.1e}, at most {most:g}", far < most
    fresh, first_update = copied(compiled.network.state_dict()), compiled._update
    compiled._update = compiled._plain_update
    step_by_step = weights_after(compiled, size.steps)
    compiled.network.load_state_dict(fresh)
    compiled.optimiser.state.clear()
    compiled._update = first_update
    replayed = weights_after(compiled, size.steps)
    equal = isinstance(compiled._update, RecordedStep) == size.on_gpu and torch.equal(step_by_step, replayed)
    yield f"{size.steps} steps, replayed and launched", "bit for bit" if equal else "differ", equal
    far = distance(replayed, weights)
    yield f"{size.steps} steps, replayed and float32", f"distance {far:.1e}, at most 0.1", far < 0.1
    if size.on_gpu:
        waited = waits(compiled, size.steps)
        yield "host-device synchronisations in 129 more steps", waited or "none", not waited


def waits(trainer: Trainer, first: int) -> str:
    """Host-device synchronisations over two stretches of draws and many epochs; empty without any."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in range(first, first + 129):
            trainer.train_step(step)
    except RuntimeError as error:
        return str(error)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return ""


def check_memory(name: str, size: Size) -> Iterator[Check]:
    """An oversized batch fails with a message that names a size that fits."""
    prepare_process(ComputeSettings())
    trainer = size.trainer(name)
    torch.cuda.empty_cache()
    share = (torch.cuda.memory_allocated() + 1e9) / torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(share)
    try:
        trainer.run()
        said = "it fitted"
    except MemoryError as error:
        said = str(error)
    yield "a batch too large for 1 GB", said, "does; " not in said and "batch_size: " in said


def train(folder: Path, name: str, size: Size, kill_at: int | None) -> None:
    """Train with a checkpoint and save the best weights; kill this process at a step if asked."""
    # no kernel that another process has compiled
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "compiled")
    prepare_process(ComputeSettings())
    trainer = size.trainer(name, precision="bfloat16", compile=size.on_gpu)
    step = trainer.train_step

    def train_step(number: int) -> dict[str, Tensor]:
        if number == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(number)

    trainer.train_step = train_step
    torch.save(trainer.run(checkpoint=folder / "latest.pt"), folder / "weights.pt")


def check_processes(name: str, size: Size) -> Iterator[Check]:
    """Weights of three trainings, each in its own process; the third is killed and resumes."""
    fork = get_context("fork")  # this process must not have used a GPU before
    with tempfile.TemporaryDirectory() as work:
        folders = [Path(work, run) for run in ("first", "second", "killed")]
        # between the second and the third validation
        kills = [None, None, 2 * size.steps + size.steps // 4]
        processes = [
            fork.Process(target=train, args=(folder, name, size, kill_at))
            for folder, kill_at in zip(folders, kills, strict=True)
        ]
        for folder, process in zip(folders, processes, strict=True):
            folder.mkdir()
            process.start()
        for process in processes:
            process.join()
        again = fork.Process(target=train, args=(folders[-1], name, size, None))
        again.start()
        again.join()
        ended = [process.exitcode for process in (*processes, again)]
        good = ended == [0, 0, -signal.SIGKILL, 0]
        yield "trainings end, are killed and go on", str(ended), good
        if not good:
            return
        first, *others = (torch.load(folder / "weights.pt", weights_only=True) for folder in folders)
        for what, other in zip(("another process", "a killed process"), others, strict=True):
            equal = all(torch.equal(first[key], other[key]) for key in first)
            yield f"{3 * size.steps} steps, {what}", "bit for bit" if equal else "differ", equal
