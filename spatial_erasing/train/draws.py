"""All random draws of a training, as functions of its seed and the step number."""

import torch
from torch import Generator, Tensor

from spatial_erasing.seeds import hash_seed
from spatial_erasing.train.erase import draw_erased
from spatial_erasing.train.settings import ErasingSettings

STEPS_AHEAD = 64  # number of steps for which erasing is drawn at once


class Draws:
    """Order of the items, regions to erase, and a generator for the noise, of every step of one training.

    A resumed training repeats the draws of an uninterrupted one. Order and erasing are drawn on the CPU, so
    that they are the same on every device, and ahead of time, so that no step has to wait for them. `items`
    is the number of training samples, `batch_size` at most as many.
    """

    def __init__(self, *, seed: int, items: int, batch_size: int, device: torch.device) -> None:
        self.seed, self.items, self.batch_size, self.device = seed, items, batch_size, device
        self.steps_per_epoch = items // batch_size
        # one epoch and one stretch are cached, since steps come in order
        self._epoch, self._order = -1, torch.empty(0)
        self._stretch, self._erased = -1, torch.empty(0)
        self._generator = Generator(device)

    def batch(self, step: int) -> Tensor:
        """Indices of a step's items: each epoch is a new order, without the last, incomplete batch."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            order = torch.randperm(self.items, generator=self._on_cpu("epoch", epoch))
            self._epoch, self._order = epoch, self._on_device(order)
        return self._order[place * self.batch_size : (place + 1) * self.batch_size]

    def erased(self, step: int, kind: str, grid: tuple[int, ...], *, settings: ErasingSettings) -> Tensor:
        """The erasing of a step's items, shape (batch, ...); see `erase.draw_erased`."""
        stretch, place = divmod(step, STEPS_AHEAD)
        if stretch != self._stretch:
            samples, generator = STEPS_AHEAD * self.batch_size, self._on_cpu("boxes", stretch)
            drawn = draw_erased(kind, samples, grid, settings=settings, generator=generator)
            self._stretch, self._erased = stretch, self._on_device(drawn)
        return self._erased[place * self.batch_size : (place + 1) * self.batch_size]

    def generator(self, step: int) -> Generator:
        """The generator of a step's noise, in erased pixels and in the latent code; on the device."""
        return self._generator.manual_seed(hash_seed(self.seed, "step", step))

    def _on_cpu(self, *name: object) -> Generator:
        return Generator().manual_seed(hash_seed(self.seed, *name))

    def _on_device(self, drawn: Tensor) -> Tensor:
        """Copied asynchronously from pinned memory."""
        if self.device.type == "cpu":
            return drawn
        return drawn.pin_memory().to(self.device, non_blocking=True)
