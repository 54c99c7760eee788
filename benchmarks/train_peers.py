"""Time the training step of this project against those of a plain loop, MONAI and Lightning.

    python benchmarks/train_peers.py [--dims 2 3] [--batch-size 32] [--seconds 10] [--threads 1]

The same network, loss, optimiser and batch for all; how they fetch and erase is theirs: a plain loop over a
DataLoader whose workers erase item by item, MONAI's CacheDataset with its RandCoarseDropout and its
SupervisedTrainer, Lightning's Trainer over the plain loader. What is not installed is said to be missing:
pip install monai pytorch-ignite lightning. On a GPU the plain loop and Lightning run in bfloat16 as well.
"""

import argparse
import os
import time
from collections.abc import Iterator
from itertools import count

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from spatial_erasing.train.device import choose_computing, prepare_process
from spatial_erasing.train.engine import Trainer
from spatial_erasing.train.erase import draw_erased, erase_drawn
from spatial_erasing.train.settings import ErasingSettings
from train import MODELS, SPECS, make_training, on_device, parse_options, print_row, seconds_of, wait

try:
    import lightning
except ImportError:
    lightning = None
try:
    import monai
    from ignite.engine import Events
except ImportError:
    monai = None

WARM_UP = 3  # untimed steps


class ErasedItems(Dataset):
    """A plain loader: erase one item on the CPU and return it."""

    def __init__(self, items: Tensor, dims: int) -> None:
        self.items, self.model = items, SPECS[MODELS[dims]]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Unerased scan and erased scan."""
        scan, model = self.items[index].float(), self.model
        drawing = {"settings": ErasingSettings(), "generator": torch.Generator().manual_seed(index)}
        drawn = draw_erased(model.erase, 1, tuple(scan.shape[1:]), **drawing)
        return scan, erase_drawn(scan[None], drawn, (model.erase, model.fill), **drawing)[0]


class WithNoise(nn.Module):
    """The network with the latent noise drawn inside `forward`, as other trainers require."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, erased: Tensor) -> tuple[Tensor, ...]:
        """Reconstructions, mean and log variance."""
        noise = torch.randn(len(erased), self.network.noise_size, device=erased.device)
        return self.network(erased, noise)


def loader_of(options: argparse.Namespace, trainer: Trainer, dims: int) -> DataLoader:
    """Erased batches from worker processes."""
    on_gpu = trainer.device.type == "cuda"
    return DataLoader(
        ErasedItems(trainer.training_items.cpu(), dims),
        options.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=min(8, os.cpu_count() or 1),
        persistent_workers=True,
        pin_memory=on_gpu,
    )


def endless(loader: DataLoader) -> Iterator[tuple[Tensor, Tensor]]:
    """Epoch after epoch."""
    while True:
        yield from loader


def our_rate(options: argparse.Namespace, dims: int) -> float:
    """Items per second of this project, with the settings of config.yaml."""
    computing = choose_computing(on_device(options), precision="auto", compile="auto", deterministic=True)
    prepare_process(computing)
    trainer, counted = make_training(options, MODELS[dims], "a", computing), count()
    step_seconds = seconds_of(
        lambda: trainer.train_step(next(counted)), trainer.device, at_least=options.seconds
    )
    return options.batch_size / step_seconds


def plain_rate(options: argparse.Namespace, trainer: Trainer, dims: int, *, autocast: bool) -> float:
    """Items per second of a plain loop."""
    network, device = WithNoise(trainer.network), trainer.device
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    batches = endless(loader_of(options, trainer, dims))

    def step() -> None:
        scans, erased = (part.to(device, non_blocking=True) for part in next(batches))
        with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
            outputs = network(erased)
        optimiser.zero_grad(set_to_none=True)
        loss, _ = trainer.network.loss(scans, outputs)
        loss.backward()
        optimiser.step()
        loss.item()  # for its progress bar

    return options.batch_size / seconds_of(step, device, at_least=options.seconds)


class Clock:
    """The end time of each step."""

    def __init__(self, options: argparse.Namespace, device: torch.device) -> None:
        self.options, self.device, self.times = options, device, []

    def is_over(self) -> bool:
        """Note a step; True once the time is over."""
        wait(self.device)
        self.times.append(time.perf_counter())
        return len(self.times) > WARM_UP and self.times[-1] - self.times[WARM_UP - 1] > self.options.seconds

    def rate(self) -> float:
        """Items per second."""
        steps = len(self.times) - WARM_UP
        return self.options.batch_size * steps / (self.times[-1] - self.times[WARM_UP - 1])


def monai_rate(options: argparse.Namespace, trainer: Trainer) -> float:
    """Items per second of MONAI's trainer, with cached items and its own erasing."""
    items = trainer.training_items.cpu().float()
    side = round((0.13 * items[0].numel()) ** (1 / (items.ndim - 2)))
    transforms = monai.transforms.Compose(
        [
            monai.transforms.CopyItemsd("image", names="label"),
            monai.transforms.RandCoarseDropoutd(
                "image", holes=1, spatial_size=side // 2, max_spatial_size=side, prob=0.5, fill_value=0
            ),
        ]
    )
    cached = monai.data.CacheDataset([{"image": item} for item in items], transforms, progress=False)
    workers = min(8, os.cpu_count() or 1)
    loader = monai.data.DataLoader(
        cached, batch_size=options.batch_size, shuffle=True, drop_last=True, num_workers=workers
    )
    network, clock = WithNoise(trainer.network), Clock(options, trainer.device)
    engine = monai.engines.SupervisedTrainer(
        device=trainer.device,
        max_epochs=10**6,
        train_data_loader=loader,
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), lr=1e-3),
        loss_function=lambda outputs, scans: trainer.network.loss(scans, outputs)[0],
    )
    engine.add_event_handler(
        Events.ITERATION_COMPLETED, lambda running: clock.is_over() and running.terminate()
    )
    engine.run()
    return clock.rate()


def lightning_rate(options: argparse.Namespace, trainer: Trainer, dims: int, *, precision: str) -> float:
    """Items per second of Lightning's trainer with the plain loader."""
    clock = Clock(options, trainer.device)

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = WithNoise(trainer.network)

        def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
            scans, erased = batch
            return trainer.network.loss(scans, self.network(erased))[0]

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=1e-3)

        def on_train_batch_end(self, *_: object) -> None:
            self.trainer.should_stop = clock.is_over()

    lightning.Trainer(
        accelerator="gpu" if trainer.device.type == "cuda" else "cpu",
        devices=1,
        precision=precision,
        max_epochs=10**6,
        min_steps=WARM_UP + 1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(Module(), loader_of(options, trainer, dims))
    return clock.rate()


def as_torch_starts() -> None:
    """Settings of the other loops: not deterministic, TF32 and the fastest kernels."""
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True


def measure(options: argparse.Namespace, dims: int) -> Iterator[tuple[str, float | None]]:
    """Training loops and their items per second; None for one that is not installed."""

    def fresh() -> Trainer:
        computing = choose_computing(
            torch.device("cpu"), precision="float32", compile=False, deterministic=False
        )
        trainer = make_training(options, MODELS[dims], "a", computing)
        trainer.network.to(memory_format=torch.contiguous_format)
        return trainer

    yield "this project", our_rate(options, dims)
    as_torch_starts()
    on_gpu = fresh().device.type == "cuda"
    for autocast in (False, True) if on_gpu else (False,):
        name = "plain loop, DataLoader" + (", autocast" if autocast else "")
        yield name, plain_rate(options, fresh(), dims, autocast=autocast)
    if monai is None:
        yield "MONAI", None
    else:
        yield f"MONAI {monai.__version__}", monai_rate(options, fresh())
    if lightning is None:
        yield "Lightning", None
        return
    for precision in ("32-true", "bf16-mixed") if on_gpu else ("32-true",):
        rate = lightning_rate(options, fresh(), dims, precision=precision)
        yield f"Lightning {lightning.__version__}, {precision}", rate


def main() -> None:
    """Print the table."""
    options = parse_options(argparse.ArgumentParser(description=__doc__))
    print_row("input", "who", "items/s", "times slower")
    print_row(":--", ":--", "--:", "--:")
    for dims in options.dims:
        for name, rate in measure(options, dims):
            if name == "this project":
                ours = rate
            cells = ("not installed", "") if rate is None else (f"{rate:,.1f}", f"{ours / rate:.2f}")
            print_row(f"{dims}-D", name, *cells)


if __name__ == "__main__":
    main()
