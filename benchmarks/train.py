"""Time the training step against the ceilings of its device, and several trainings at once.

    python benchmarks/train.py [--dims 2 3] [--presets a b] [--precisions float32 bfloat16] [--compile]
                               [--launched] [--kernels] [--trainings 1 2 4] [--device auto]
                               [--batch-size 32] [--seconds 10]

Needs torch and numpy alone; benchmarks/on_gpu.py runs it on a GPU. Volumes are synthetic: noise in an
ellipsoid, 64³, float16. Floating-point operations are those that torch's own counter finds in one step. Bytes
are the least that a step must move: every layer reads its input and writes its output forward, and reads one
and reads and writes a gradient backward. The ceilings are measured in the same run: a large matrix product in
the precision of the step, and a large copy. The floor is the longer of both; the time stands beside it.
`--trainings 2 4` runs so many trainings at once, each a process of its own, and sums their rates.
"""

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import count, product

import numpy as np
import torch
from torch import Tensor
from torch.profiler import profile
from torch.utils.flop_counter import FlopCounterMode

from spatial_erasing.cohorts import Split
from spatial_erasing.models import ModelSpec
from spatial_erasing.train.device import choose_device, device_name, prepare_process
from spatial_erasing.train.engine import Trainer
from spatial_erasing.train.settings import PRECISIONS, ComputeSettings, ErasingSettings
from spatial_erasing.train.start import make_network, make_trainer, training_settings

MODELS = {2: "2d-patch-noise", 3: "3d-cube-noise"}
SPECS = {name: ModelSpec(name, dims, "cube", "noise") for dims, name in MODELS.items()}
# The sizes printed in the paper's Figure 2 are not in its text; "a" follows the 2-D network of Baur et al.
# 2020, which the paper builds on, "b" has one more level.
PRESETS = {
    "a": {"feature_maps": (32, 64, 128), "bottleneck_channels": 16},
    "b": {"feature_maps": (32, 64, 128, 256), "bottleneck_channels": None},
}
NETWORK = {
    "kind": "vae",
    "kernel_size": 4,
    "norm": "group",
    "activation": "leaky_relu",
    "output_activation": "linear",
    "latent_size": {"2d": 128, "3d": 512},
    "kl_weight": 1.0,
}


def make_volumes(count: int, grid: int) -> Split:
    """Synthetic healthy subjects: noise in an ellipsoid of the size of a brain."""
    rng = np.random.default_rng(0)
    axes = np.indices((grid,) * 3) - (grid - 1) / 2
    half_axes = np.array([26, 31, 27]) * grid / 64
    brain = sum((axis / half) ** 2 for axis, half in zip(axes, half_axes, strict=True)) <= 1
    different = [
        (rng.random(brain.shape, np.float32) * brain).astype(np.float16) for _ in range(min(count, 64))
    ]
    scans = np.resize(np.stack(different), (count, *brain.shape))
    subjects = [("healthy", str(number)) for number in range(count)]
    return Split(subjects, scans, np.broadcast_to(brain, scans.shape), np.zeros(0), np.zeros(0))


def on_device(options: argparse.Namespace) -> torch.device:
    """The device of the benchmark."""
    return torch.device("cuda" if options.device == "auto" and torch.cuda.is_available() else "cpu")


def make_training(
    options: argparse.Namespace, name: str, preset: str, computing: ComputeSettings, **optimisation: int
) -> Trainer:
    """A training on synthetic volumes with a fixed seed; endless by default."""
    model, device = SPECS[name], choose_device(options.device, trainings_per_gpu=64)
    settings = {
        "batch_size": options.batch_size,
        "learning_rate": 1e-3,
        "warmup_steps": 100,
    }
    settings |= {"maximum_steps": 10**9, "validate_every_steps": 250, "patience_steps": 10**9}
    values = {"erasing": vars(ErasingSettings()), "augmentation": {}, "optimisation": settings | optimisation}
    network = make_network(
        model.spatial_dims, (options.grid,) * 3, values=NETWORK | PRESETS[preset], seed=1, device=device
    )
    subjects = max(options.volumes, options.batch_size if model.spatial_dims == 3 else 1)
    return make_trainer(
        network,
        make_volumes(subjects, options.grid),
        make_volumes(2, options.grid),
        training_settings(model, values=values, computing=computing, seed=1),
    )


def seconds_of(function: Callable[[], object], device: torch.device, *, at_least: float) -> float:
    """Mean seconds of a call over the given time, after two warm-up calls."""
    for _ in range(2):
        function()
    wait(device)
    started, calls = time.perf_counter(), 0
    while True:
        function()
        calls += 1
        if calls % 10 == 0 or device.type == "cpu":
            wait(device)
            if (elapsed := time.perf_counter() - started) > at_least:
                return elapsed / calls


def wait(device: torch.device) -> None:
    """Synchronise with the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@cache
def ceilings(device: torch.device, precision: str, seconds: float) -> tuple[float, float]:
    """FLOP/s of a large matrix product, and bytes/s of a large copy, each measured for some seconds."""
    size = 8192 if device.type == "cuda" else 2048
    dtype = getattr(torch, precision)
    first, second = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    product = torch.empty_like(first)
    multiply = lambda: torch.mm(first, second, out=product)  # noqa: E731
    operations = 2 * size**3 / seconds_of(multiply, device, at_least=seconds)
    source = torch.zeros(2**28 if device.type == "cuda" else 2**26, device=device)
    target = torch.empty_like(source)
    return operations, 2 * source.nbytes / seconds_of(lambda: target.copy_(source), device, at_least=seconds)


def least_bytes(trainer: Trainer) -> int:
    """Minimum bytes moved by the layers of a step: input and output forward, both and a gradient backward."""
    moved = 0

    def add(_layer: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal moved
        moved += 3 * (inputs[0].numel() + output.numel())

    leaves = [layer for layer in trainer.network.modules() if not list(layer.children())]
    handles = [layer.register_forward_hook(add) for layer in leaves]
    with torch.no_grad():
        trainer.network(trainer._inputs(*trainer._drawn(0))[1])
    for handle in handles:
        handle.remove()
    item_bytes = 2 if trainer.settings.computing.precision == "bfloat16" else 4
    weights = sum(parameter.numel() for parameter in trainer.network.parameters())
    return moved * item_bytes + 7 * 4 * weights  # Adam reads four values per weight and writes three


def operations_of_step(trainer: Trainer) -> int:
    """Floating-point operations of one step forward and backward."""
    with FlopCounterMode(display=False) as counter:
        trainer._plain_losses(*trainer._inputs(*trainer._drawn(0)))[0].backward()
    trainer.optimiser.zero_grad(set_to_none=True)
    return counter.get_total_flops()


def measure(
    options: argparse.Namespace, dims: int, preset: str, computing: ComputeSettings
) -> dict[str, str]:
    """Rate of a training step, and its time beside the ceilings."""
    trainer = make_training(options, MODELS[dims], preset, computing)
    if options.launched:
        trainer._update = trainer._plain_update
    device, counted = trainer.device, count()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    seconds = seconds_of(lambda: trainer.train_step(next(counted)), device, at_least=options.seconds)
    peak = (
        torch.cuda.max_memory_allocated(device)
        if device.type == "cuda"
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
    operations, moved = operations_of_step(trainer), least_bytes(trainer)
    operation_ceiling, byte_ceiling = ceilings(device, computing.precision, min(2, options.seconds))
    floor = max(operations / operation_ceiling, moved / byte_ceiling)
    binds = "arithmetic" if operations / operation_ceiling >= moved / byte_ceiling else "memory"
    epoch_items = 1807 if dims == 3 else 1807 * 54
    rate = options.batch_size / seconds
    if options.kernels:
        print_kernels(trainer, next(counted))
    return {
        "items/s": f"{rate:,.1f}",
        "GFLOP an item": f"{operations / options.batch_size / 1e9:.2f}",
        "of the arithmetic ceiling": f"{operations / seconds / operation_ceiling:.0%} "
        f"of {operation_ceiling / 1e12:.3g} TFLOP/s",
        "of the memory ceiling": f"{moved / seconds / byte_ceiling:.0%} of {byte_ceiling / 1e9:.3g} GB/s",
        "time": f"{seconds / floor:.1f} x floor ({binds})",
        "s an epoch": f"{epoch_items / rate:,.1f}",
        "peak GB": f"{peak / 1e9:.1f}",
    }


def mode(options: argparse.Namespace, computing: ComputeSettings) -> str:
    """How a step is computed."""
    compiled, launched = ", compiled" * computing.compile, ", launched" * options.launched
    return computing.precision + compiled + launched + ", not deterministic" * (not computing.deterministic)


def train_alone(
    options: argparse.Namespace, dims: int, computing: ComputeSettings, all_ready: object, rates: object
) -> None:
    """One of several trainings at once; its rate, measured after all have started, is put into `rates`."""
    torch.set_num_threads(options.threads)
    prepare_process(computing)
    trainer, counted = make_training(options, MODELS[dims], "a", computing), count()
    trainer.train_step(next(counted))
    all_ready.wait()
    seconds = seconds_of(lambda: trainer.train_step(next(counted)), trainer.device, at_least=options.seconds)
    rates.put(options.batch_size / seconds)


def measure_together(
    options: argparse.Namespace, dims: int, together: int, computing: ComputeSettings
) -> dict[str, str]:
    """The summed rate of several trainings at once."""
    context = multiprocessing.get_context("spawn")
    rates = context.Queue()
    arguments = (options, dims, computing, context.Barrier(together, timeout=300), rates)
    processes = [context.Process(target=train_alone, args=arguments) for _ in range(together)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError(f"a training ended with {[process.exitcode for process in processes]}")
    total = sum(rates.get() for _ in processes)
    voxels = total * options.grid**dims
    return {
        "items/s, all": f"{total:,.1f}",
        "steps/s, all": f"{total / options.batch_size:,.1f}",
        "million voxels/s, all": f"{voxels / 1e6:,.1f}",
    }


def print_kernels(trainer: Trainer, first_step: int) -> None:
    """Torch's table of the kernels of five steps, longest first."""
    with profile() as profiled:
        for step in range(first_step, first_step + 5):
            trainer.train_step(step)
        wait(trainer.device)
    order = "self_cuda_time_total" if trainer.device.type == "cuda" else "self_cpu_time_total"
    print(profiled.key_averages().table(sort_by=order, row_limit=20, max_name_column_width=90))


def print_row(*cells: object) -> None:
    """One row of a Markdown table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def parse_options(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Options common to all benchmarks of training."""
    parser.add_argument("--device", default="auto", choices=["auto", "cpu"])
    parser.add_argument("--dims", nargs="+", type=int, default=[2, 3], choices=[2, 3])
    parser.add_argument("--presets", nargs="*", default=["a"], choices=sorted(PRESETS))
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--grid", type=int, default=64)
    parser.add_argument("--volumes", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precisions", nargs="+", default=["float32"], choices=PRECISIONS)
    parser.add_argument("--compile", action="store_true", help="torch.compile, and on a GPU a CUDA graph")
    parser.add_argument("--not-deterministic", action="store_true")
    parser.add_argument("--launched", action="store_true", help="compiled, without a CUDA graph")
    parser.add_argument("--kernels", action="store_true", help="print the kernels of a step, longest first")
    parser.add_argument("--trainings", nargs="+", type=int, default=[])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(
        f"{device_name(on_device(options))}, {options.threads} threads, torch {torch.__version__}, ", end=""
    )
    print(f"batch {options.batch_size}, edge {options.grid}\n")
    return options


def measurements(options: argparse.Namespace, ways: Sequence[ComputeSettings]) -> Iterator[dict[str, str]]:
    """Rows of the requested tables, titles to cells."""
    for dims, preset, way in product(options.dims, options.presets, ways):
        names = {"input": f"{dims}-D", "preset": preset, "computing": mode(options, way)}
        yield names | measure(options, dims, preset, way)
    for dims, together in product(options.dims, options.trainings):
        names = {"input": f"{dims}-D", "trainings at once": str(together)}
        yield names | measure_together(options, dims, together, ways[-1])


def main() -> None:
    """Print the requested tables."""
    options = parse_options(argparse.ArgumentParser(description=__doc__))
    ways = [
        ComputeSettings(precision, options.compile, not options.not_deterministic)
        for precision in options.precisions
    ]
    prepare_process(ways[0])
    titles: list[str] = []
    for found in measurements(options, ways):
        if titles != list(found):
            titles = list(found)
            print()
            print_row(*titles)
            print_row(*[":--"] * len(titles))
        print_row(*found.values())


if __name__ == "__main__":
    main()
