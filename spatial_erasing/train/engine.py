"""The training loop: batches erased on the device, and the weights with the best validation loss."""

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Generator, Tensor
from torch.func import functional_call

from spatial_erasing.train.augmentation import augment
from spatial_erasing.train.checkpoint import Progress, load_checkpoint, save_atomically
from spatial_erasing.train.draws import Draws
from spatial_erasing.train.erase import erase_drawn
from spatial_erasing.train.network import Network, reconstruction_l1, weights_in_precision
from spatial_erasing.train.record import Step, copied, record_step
from spatial_erasing.train.settings import TrainingSettings

logger = logging.getLogger(__name__)

# 224 MB in 3-D, and validations may be seconds apart; a kill loses at most this time of a training
CHECKPOINT_SECONDS = 60
VALIDATION_VOXELS = 2**21  # minimum at a time: without gradients memory suffices, and slices are small
Losses = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, dict[str, Tensor]]]


class Trainer:
    """One training of one model, from the first step or from its checkpoint.

    Data, weights and the losses of every step stay on the device; the host launches steps and reads a few
    values at each validation. Items are healthy samples on the device, (items, 1, *grid), any float type.
    """

    def __init__(
        self, network: Network, training_items: Tensor, validation_items: Tensor, settings: TrainingSettings
    ) -> None:
        self.network, self.settings = network, settings
        self.model, self.optimisation = settings.model, settings.optimisation
        self.training_items, self.validation_items = training_items, validation_items
        self.device = training_items.device
        self.draws = Draws(
            seed=settings.seed,
            items=len(training_items),
            # an epoch needs at least one full batch, also with few samples
            batch_size=min(self.optimisation.batch_size, len(training_items)),
            device=self.device,
        )
        on_gpu = self.device.type == "cuda"
        rate = self.optimisation.learning_rate
        self.optimiser = torch.optim.Adam(
            network.parameters(),
            # a recorded step reads the rate on the device
            lr=torch.tensor(rate, device=self.device) if on_gpu else rate,
            capturable=on_gpu,
            fused=True,  # one kernel for all weights instead of one each
        )
        self.progress = Progress()
        self.best_weights = copied(network.state_dict())
        self._losses = self._compiled() if settings.computing.compile else self._plain_losses
        self._update: Step = self._plain_update
        if settings.computing.compile and on_gpu:
            self._update = self._first_update

    def run(
        self, *, checkpoint: Path | None = None, observe: Callable[[dict[str, float]], None] | None = None
    ) -> dict[str, Tensor]:
        """Train to the end and return the weights of the best validation.

        Args:
            checkpoint: the training resumes from it; written at the first validation, then at most once a
                minute, and at `maximum_steps`, so that the training continues if they are raised.
            observe: called with every new row of the history.

        Raises:
            FloatingPointError: the loss is NaN or infinite; the checkpoint stays as it was.
            MemoryError: a batch does not fit on the device; the message gives a size that fits.
        """
        self._resume(checkpoint)
        progress, saved = self.progress, -math.inf
        while not self._is_over():
            started = time.monotonic()
            try:
                losses = self._train_until(self._next_validation())
            except torch.OutOfMemoryError:
                raise MemoryError(self._advice_on_batch_size()) from None
            l1, latent = self.validate()
            progress.seconds += time.monotonic() - started
            self._record(losses, l1, latent)
            if observe is not None:
                observe(progress.history[-1])
            is_due = self._is_over() or time.monotonic() - saved >= CHECKPOINT_SECONDS
            # a prolonged training validates at regular steps alone, so it could not resume from another one
            is_regular = progress.step % self.optimisation.validate_every_steps == 0
            if checkpoint is not None and is_due and is_regular:
                self._save(checkpoint)
                saved = time.monotonic()
        logger.info("best validation l1 %.5f at step %d", progress.best_l1, progress.best_step)
        return self.best_weights

    def train_step(self, step: int) -> dict[str, Tensor]:
        """One update of the weights; returns the named terms of its loss, which the next step overwrites."""
        self._set_learning_rate(step)
        return self._update(*self._drawn(step))

    def _drawn(self, step: int) -> tuple[Tensor, Tensor, Generator]:
        """Indices of a step's items, their erasing parameters, and the generator of the noise."""
        grid, erasing = tuple(self.training_items.shape[2:]), self.settings.erasing
        drawn = self.draws.erased(step, self.model.erase, grid, settings=erasing)
        return self.draws.batch(step), drawn, self.draws.generator(step)

    def _inputs(self, indices: Tensor, drawn: Tensor, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Unerased scans, erased scans and the network's noise of a step."""
        scans, kinds = self.training_items[indices], (self.model.erase, self.model.fill)
        scans = augment(scans, self.settings.augmentation, generator=generator)
        erased = erase_drawn(scans, drawn, kinds, settings=self.settings.erasing, generator=generator)
        return scans, erased, self.network.draw_noise(len(scans), generator=generator)

    def _plain_update(self, indices: Tensor, drawn: Tensor, generator: Generator) -> dict[str, Tensor]:
        """One step without a CUDA graph."""
        loss, numbers = self._losses(*self._inputs(indices, drawn, generator))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return numbers

    def _first_update(self, indices: Tensor, drawn: Tensor, generator: Generator) -> dict[str, Tensor]:
        """Record the step as a CUDA graph, which later steps replay."""
        try:
            self._update = record_step(
                self._plain_update, indices, drawn, generator, network=self.network, optimiser=self.optimiser
            )
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # CUDA's streams and generators are undefined after it
            raise RuntimeError(
                f"a training step of {self.model.name} cannot be recorded on {self.device}: {error}. "
                "Write train.compile: false; its kernels are then launched one by one."
            ) from error
        return self._update(indices, drawn, generator)

    def _plain_losses(self, scans: Tensor, erased: Tensor, noise: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The network's loss for these items, and its terms for the history."""
        weights = weights_in_precision(self.network, self.settings.computing.precision)
        return self.network.loss(scans, functional_call(self.network, weights, (erased, noise)))

    def _compiled(self) -> Losses:
        """The compiled losses, tried once; the plain losses if that fails, as without a C compiler."""
        weights = copied(self.network.state_dict())  # batch norm updates its running means in every batch
        torch.compiler.reset()  # the recompilation limit also counts other trainings of this process
        losses = torch.compile(self._plain_losses, dynamic=False)
        try:
            losses(*self._inputs(*self._drawn(0)))[0].backward()
        except torch.OutOfMemoryError:
            raise MemoryError(self._advice_on_batch_size()) from None
        except Exception as error:  # several compilers are involved; any exception is possible
            logger.warning("torch.compile failed; the training continues without it: %s", error)
            losses = self._plain_losses
        self.optimiser.zero_grad(set_to_none=True)
        self.network.load_state_dict(weights)
        return losses

    @torch.no_grad()
    def validate(self) -> tuple[float, list[float]]:
        """Mean absolute error per voxel on unerased validation items, and their latent values."""
        self.network.eval()
        l1, latent = [], []
        items_at_a_time = VALIDATION_VOXELS // self.validation_items[0].numel()
        for scans in self.validation_items.split(max(items_at_a_time, self.draws.batch_size)):
            outputs = self.network(scans)
            l1.append(reconstruction_l1(scans, outputs[0]) / scans[0].numel())
            latent.append(self.network.latent_numbers(outputs))
        self.network.train()
        return float(torch.cat(l1).mean()), torch.cat(latent).mean(dim=0).tolist()

    def _set_learning_rate(self, step: int) -> None:
        """Linear warm-up, then constant; a function of the step, so that a checkpoint needs no state."""
        settings = self.optimisation
        rate = settings.learning_rate * min(1.0, (step + 1) / max(settings.warmup_steps, 1))
        for group in self.optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def _train_until(self, last_step: int) -> dict[str, float]:
        """Train up to `last_step`, exclusive; returns the mean of each loss term over these steps."""
        self.network.train()
        total, good_steps = torch.zeros((), device=self.device), torch.zeros((), device=self.device)
        first = self.progress.step
        for step in range(first, last_step):
            numbers = self.train_step(step)
            total = total + torch.stack(list(numbers.values()))
            # a NaN persists in the sum, so no host-device synchronisation is needed
            good_steps += total.isfinite().all()
        self.progress.step = last_step
        means = (total / (last_step - first)).tolist()
        if not math.isfinite(sum(means)):
            raise FloatingPointError(
                f"NaN or infinite loss of {self.model.name} at step {first + int(good_steps)}. Lower "
                f"train.optimisation.learning_rate, or check the training volumes."
            )
        return {f"training_{name}": mean for name, mean in zip(numbers, means, strict=True)}

    def _advice_on_batch_size(self) -> str:
        """Advice if a batch does not fit: the largest of its half, quarter, … that fits."""
        asked = size = self.draws.batch_size
        while size := size // 2:
            self.optimiser.zero_grad(set_to_none=True)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()  # cached blocks of the larger batch would count as used
            try:
                inputs = self._inputs(*self._drawn(0))
                self._plain_losses(*(part[:size] for part in inputs))[0].backward()
            except torch.OutOfMemoryError:
                continue
            return (
                f"a batch of {asked} of {self.model.name} does not fit on {self.device}; {size} samples fit. "
                f"Write train.optimisation.batch_size: {size}, or use a device with more memory."
            )
        return (
            f"not even one sample of {self.model.name} fits on {self.device}. Use a device with more memory."
        )

    def _next_validation(self) -> int:
        every = self.optimisation.validate_every_steps
        return min((self.progress.step // every + 1) * every, self.optimisation.maximum_steps)

    def _is_over(self) -> bool:
        progress, settings = self.progress, self.optimisation
        patience_is_over = progress.step - progress.best_step >= settings.patience_steps
        return progress.step >= settings.maximum_steps or patience_is_over

    def _record(self, losses: dict[str, float], l1: float, latent: list[float]) -> None:
        """Add a row to the history, keep the best weights, and log the remaining time."""
        progress = self.progress
        measured = losses | {"validation_l1": l1} | self.network.summary(latent)
        place = {"step": progress.step, "epoch": round(progress.step / self.draws.steps_per_epoch, 2)}
        progress.history.append(place | measured | {"seconds": round(progress.seconds, 2)})
        if l1 < progress.best_l1:  # False for NaN, and for the later of equal validations
            progress.best_l1, progress.best_step = l1, progress.step
            progress.best_latent = latent
            self.best_weights = copied(self.network.state_dict())
        left = self.optimisation.maximum_steps - progress.step
        logger.info(
            "step %d of %d  %s  at most %.0f s left",
            progress.step,
            self.optimisation.maximum_steps,
            "  ".join(f"{name.replace('_', ' ')} {value:.5g}" for name, value in measured.items()),
            left * progress.seconds / progress.step,
        )

    def _save(self, checkpoint: Path) -> None:
        content = {
            "progress": vars(self.progress),  # in the same file, so that no kill separates it from weights
            "weights": self.network.state_dict(),
            "best_weights": self.best_weights,
            "optimiser": self.optimiser.state_dict(),
        }
        save_atomically(content, checkpoint)

    def _resume(self, checkpoint: Path | None) -> None:
        content = load_checkpoint(checkpoint, self.device) if checkpoint is not None else None
        if content is None:
            return
        progress = Progress(**content["progress"])
        if progress.is_beyond(self.optimisation):
            logger.info(
                "%s is of a longer training, to step %d; this one starts anew", checkpoint, progress.step
            )
            return
        self.network.load_state_dict(content["weights"])
        # learning rate and implementation are those of this start
        own = self.optimiser.state_dict()
        self.optimiser.load_state_dict(own | {"state": content["optimiser"]["state"]})
        self.best_weights, self.progress = content["best_weights"], progress
        logger.info("resuming at step %d", self.progress.step)
