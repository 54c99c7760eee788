"""All that a training draws at random, as functions of its seed and the number of a step."""

import torch
from torch import Generator, Tensor

from spatial_erasing.seeds import hash_seed
from spatial_erasing.train.erase import draw_erased
from spatial_erasing.train.settings import ErasingSettings

STEPS_AHEAD = 64  # erasing is drawn for so many steps at once


class Draws:
    """Order of the items, parts to erase, and a generator for the noise, of every step of one training.

    A training that was killed and started again draws what it would have drawn. Order and erasing are drawn
    on the CPU, so that they are the same on every device, and ahead of time, so that no step waits for them.

    Args:
        seed: of the training.
        items: how many samples there are to train on.
        batch_size: of them in a step, at most `items`.
        device: where the network trains.
    """

    def __init__(self, *, seed: int, items: int, batch_size: int, device: torch.device) -> None:
        self.seed, self.items, self.batch_size, self.device = seed, items, batch_size, device
        self.steps_per_epoch = items // batch_size
        self._epoch, self._order = -1, torch.empty(0)
        self._stretch, self._erased = -1, torch.empty(0)
        self._generator = Generator(device)

    def batch(self, step: int) -> Tensor:
        """Indices of a step's items: every epoch is a new order of all, its last part batch left out."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            order = torch.randperm(self.items, generator=self._on_cpu("epoch", epoch))
            self._epoch, self._order = epoch, self._on_device(order)
        return self._order[place * self.batch_size : (place + 1) * self.batch_size]

    def erased(self, step: int, kind: str, grid: tuple[int, ...], *, settings: ErasingSettings) -> Tensor:
        """The erasing of a step's items, shape (batch, ...); see `erase.draw_erased`."""
        stretch, place = divmod(step, STEPS_AHEAD)
        if stretch != self._stretch:
            drawn = draw_erased(
                kind,
                STEPS_AHEAD * self.batch_size,
                grid,
                settings=settings,
                generator=self._on_cpu("boxes", stretch),
            )
            self._stretch, self._erased = stretch, self._on_device(drawn)
        return self._erased[place * self.batch_size : (place + 1) * self.batch_size]

    def generator(self, step: int) -> Generator:
        """What the noise of a step comes from, in erased pixels and in the latent code; on the device."""
        return self._generator.manual_seed(hash_seed(self.seed, "step", step))

    def _on_cpu(self, *name: object) -> Generator:
        return Generator().manual_seed(hash_seed(self.seed, *name))

    def _on_device(self, drawn: Tensor) -> Tensor:
        """Copied while the device computes, from memory that cannot be swapped out."""
        if self.device.type == "cpu":
            return drawn
        return drawn.pin_memory().to(self.device, non_blocking=True)
