"""Check on a GPU that compiled and recorded training gives the same results as plain training.

    python benchmarks/check_gpu.py [--models 2d-patch-noise 3d-cube-noise]

Needs torch and numpy alone; some minutes. Prints a row a check and ends with 1 where one fails. Gradients are
those of the first step of preset a at 64³ and batch 32, beside float32 on the CPU with the same draws;
distances are the norm of the difference over the norm. Trainings of 60 steps run in processes of their own,
each with an empty cache of compiled kernels: one to its end, one like it, one that is killed and goes on.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from spatial_erasing.train.device import device_name, prepare_process
from spatial_erasing.train.engine import Trainer
from spatial_erasing.train.record import RecordedStep, copied
from spatial_erasing.train.settings import ComputeSettings
from train import make_training, print_row

STEPS = 20
KILLED_AT_STEP = 45  # between two validations
TOLERANCES = {"float32": 1e-3, "bfloat16": 0.1}
GPU, CPU = torch.device("cuda"), torch.device("cpu")


def trainer_of(name: str, device: torch.device, **computing: object) -> Trainer:
    """A training of 60 steps on synthetic volumes."""
    options = argparse.Namespace(
        device="cpu" if device == CPU else "auto", batch_size=32, grid=64, volumes=64
    )
    ends = {"maximum_steps": 60, "validate_every_steps": 20}
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


def check_precision(name: str, precision: str) -> Iterator[tuple[str, str, bool]]:
    """One precision, launched, compiled and replayed, compared with float32 on the CPU and on the GPU."""
    plain = trainer_of(name, GPU)
    inputs = plain._inputs(*plain._drawn(0))
    exact = gradient(trainer_of(name, CPU), inputs)
    weights = weights_after(plain, STEPS)
    launched = trainer_of(name, GPU, precision=precision)
    compiled = trainer_of(name, GPU, precision=precision, compile=True)
    for what, trainer in (("gradient", launched), ("gradient, compiled", compiled)):
        far, most = distance(gradient(trainer, inputs), exact), TOLERANCES[precision]
        yield f"{what}, {precision}", f"distance {far:.1e}, at most {most:g}", far < most
    fresh = copied(compiled.network.state_dict())
    compiled._update = compiled._plain_update
    step_by_step = weights_after(compiled, STEPS)
    compiled.network.load_state_dict(fresh)
    compiled.optimiser.state.clear()
    compiled._update = compiled._first_update
    replayed = weights_after(compiled, STEPS)
    equal = isinstance(compiled._update, RecordedStep) and torch.equal(step_by_step, replayed)
    yield (
        f"{STEPS} steps, {precision}, replayed against launched",
        "bit for bit" if equal else "differ",
        equal,
    )
    far = distance(replayed, weights)
    yield (
        f"{STEPS} steps, {precision}, against float32 launched",
        f"distance {far:.1e}, at most 0.1",
        far < 0.1,
    )
    waited = waits(compiled)
    yield f"host-device synchronisations, 129 more steps, {precision}", waited or "none", not waited


def waits(trainer: Trainer) -> str:
    """Host-device synchronisations over two stretches of draws and many epochs; empty if there are none."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in range(STEPS, STEPS + 129):
            trainer.train_step(step)
    except RuntimeError as error:
        return str(error)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return ""


def check_memory(name: str) -> Iterator[tuple[str, str, bool]]:
    """An oversized batch fails with a message that names a size that fits."""
    trainer = trainer_of(name, GPU)
    if trainer.model.spatial_dims == 2:
        return
    torch.cuda.empty_cache()
    share = (torch.cuda.memory_allocated() + 1e9) / torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(share)
    try:
        trainer.run()
        said = "it fitted"
    except MemoryError as error:
        said = str(error)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    yield "a batch too large for 1 GB", said, "does; " not in said and "batch_size: " in said


def start_training(name: str, folder: Path, *arguments: str) -> subprocess.Popen:
    """A training in a separate process."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, __file__, "--train", str(folder / "weights.pt"), "--models", name, *arguments]
    environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(folder / "compiled")}
    return subprocess.Popen(command, env=environment)


def train(path: Path, name: str, kill_at: int | None) -> None:
    """Train with a checkpoint and save the best weights; kill the process at a step if asked."""
    trainer = trainer_of(name, GPU, precision="bfloat16", compile=True)
    step = trainer.train_step

    def train_step(number: int) -> dict[str, Tensor]:
        if number == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(number)

    trainer.train_step = train_step
    torch.save(trainer.run(checkpoint=path.with_name("latest.pt")), path)


def check_processes(name: str, folder: Path) -> Callable[[], Iterator[tuple[str, str, bool]]]:
    """Start three trainings; returns a function that waits for them and compares their weights."""
    first, second = (start_training(name, folder / f"{name}-{run}") for run in ("first", "second"))
    third = start_training(name, folder / f"{name}-killed", "--kill-at", str(KILLED_AT_STEP))

    def compare() -> Iterator[tuple[str, str, bool]]:
        ended = [first.wait(), second.wait(), third.wait()]
        again = start_training(name, folder / f"{name}-killed").wait()
        good = ended == [0, 0, -signal.SIGKILL] and again == 0
        yield "trainings end", f"{ended}, then {again}", good
        runs = ("first", "second", "killed") if good else ("first",)
        weights = [torch.load(folder / f"{name}-{run}/weights.pt", weights_only=True) for run in runs]
        for run, other in zip(runs[1:], weights[1:], strict=True):
            equal = all(torch.equal(weights[0][key], other[key]) for key in weights[0])
            yield f"60 steps, first and {run} process", "bit for bit" if equal else "differ", equal

    return compare


def main() -> None:
    """Run all checks, or the training that one of them starts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["2d-patch-noise", "3d-cube-noise"])
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--kill-at", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("There is no GPU here. On the CPU: python -m pytest tests/train")
    prepare_process(ComputeSettings())
    torch.set_num_threads(min(8, os.cpu_count() or 1))
    if options.train is not None:
        train(options.train, options.models[0], options.kill_at)
        return
    print(f"{device_name(GPU)}, torch {torch.__version__}\n")
    print_row("model", "check", "found", "")
    print_row(":--", ":--", ":--", ":--")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        started = {name: check_processes(name, Path(folder)) for name in options.models}
        for name in options.models:
            checks = [check_precision(name, precision) for precision in TOLERANCES]
            for found in (*checks, check_memory(name), started[name]()):
                for what, how, good in found:
                    print_row(name, what, how, "good" if good else "**failed**")
                    failed += not good
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
