"""Training: batches from the device, erased on the device, and the weights that validate best."""

import logging
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from spatial_erasing.models import ModelSpec
from spatial_erasing.seeds import hash_seed
from spatial_erasing.train.checkpoint import load_checkpoint, save_atomically
from spatial_erasing.train.erasing import ErasingSettings, erase
from spatial_erasing.train.loss import kl_divergence, kl_per_dimension, reconstruction_l1, vae_loss
from spatial_erasing.train.network import SpatialVAE

logger = logging.getLogger(__name__)

ACTIVE_UNIT_KL = 0.01  # nats; a latent dimension below it carries nothing (Burda et al. 2016 count likewise)


@dataclass(frozen=True)
class OptimisationSettings:
    """How long and how fast to train; the `train.optimisation` section of config.yaml explains each value."""

    batch_size: int
    learning_rate: float
    warmup_steps: int
    kl_weight: float
    maximum_steps: int
    validate_every_steps: int
    patience_steps: int


@dataclass
class Progress:
    """Where a training stands: all that a checkpoint keeps beside the weights and the optimiser.

    Args:
        step: steps done.
        best_step: the step whose weights validated best.
        best_l1: their mean absolute error on the validation items.
        seconds: time spent, over all starts of this training.
        history: one row a validation.
    """

    step: int = 0
    best_step: int = 0
    best_l1: float = math.inf
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


class Trainer:
    """One training of one model, from the first step or from its checkpoint.

    All randomness of a step (order, erasing, latent noise) is drawn from a generator seeded with the
    training's seed and the step's number. A training that was killed and started again therefore draws what
    it would have drawn, and ends with the same weights.

    Args:
        network: on its device, freshly initialised.
        training_items: healthy samples on the same device, shape (items, 1, *grid), any float type.
        validation_items: healthy samples that the network never trains on.
        model: which erasing the network trains with.
        erasing: how much is erased.
        optimisation: batch, rate, weight and length.
    """

    def __init__(
        self,
        network: SpatialVAE,
        training_items: Tensor,
        validation_items: Tensor,
        *,
        model: ModelSpec,
        erasing: ErasingSettings,
        optimisation: OptimisationSettings,
    ) -> None:
        self.network, self.model, self.erasing, self.optimisation = network, model, erasing, optimisation
        self.training_items, self.validation_items = training_items, validation_items
        self.device = training_items.device
        self.optimiser = torch.optim.Adam(network.parameters(), lr=optimisation.learning_rate)
        self.progress = Progress()
        self.best_weights = _copied(network.state_dict())

    def run(self, *, seed: int, checkpoint: Path | None = None) -> dict[str, Tensor]:
        """Train to the end and return the weights of the best validation.

        Raises:
            FloatingPointError: the loss is no longer a number; the checkpoint keeps the best weights so far.
            MemoryError: a batch does not fit on the device; the message names a size that does.
        """
        self._resume(checkpoint)
        settings, progress = self.optimisation, self.progress
        while progress.step < settings.maximum_steps and not self._patience_is_over():
            started = time.monotonic()
            try:
                losses = self._train_until(self._next_validation(), seed=seed)
            except torch.OutOfMemoryError:
                raise MemoryError(self._advice_on_batch_size()) from None
            validation = self.validate()
            progress.seconds += time.monotonic() - started
            self._record(losses | validation)
            if checkpoint is not None:
                self._save(checkpoint)
        logger.info("best validation l1 %.5f at step %d", progress.best_l1, progress.best_step)
        return self.best_weights

    def train_step(self, step: int, *, seed: int) -> tuple[Tensor, Tensor]:
        """One update of the weights; returns l1 per voxel and KL per sample, means over the batch."""
        generator = torch.Generator(self.device).manual_seed(hash_seed(seed, "step", step))
        loss, l1, kl = self._losses(self._batch(step, seed=seed), generator)
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate(step)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return l1, kl

    def _losses(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """What is minimised, and for the history l1 per voxel and KL per sample, of these items."""
        scans = self.training_items[batch].float()
        erased = erase(
            scans, self.model.strategy, self.model.fill, settings=self.erasing, generator=generator
        )
        noise = torch.randn(
            len(scans), self.network.settings.latent_size, generator=generator, device=self.device
        )
        reconstructions, mean, log_variance = self.network(erased, noise)
        loss = vae_loss(scans, reconstructions, mean, log_variance, kl_weight=self.optimisation.kl_weight)
        with torch.no_grad():
            l1 = reconstruction_l1(scans, reconstructions).mean() / scans[0].numel()
            return loss, l1, kl_divergence(mean, log_variance).mean()

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Mean absolute error per voxel on whole validation items with z = mean, KL and active units."""
        self.network.eval()
        l1, kl = [], []
        for items in self.validation_items.split(self.optimisation.batch_size):
            scans = items.float()
            reconstructions, mean, log_variance = self.network(scans)
            l1.append(reconstruction_l1(scans, reconstructions) / scans[0].numel())
            kl.append(kl_per_dimension(mean, log_variance))
        self.network.train()
        kl_by_dimension = torch.cat(kl).mean(dim=0)
        return {
            "validation_l1": float(torch.cat(l1).mean()),
            "validation_kl": float(kl_by_dimension.sum()),
            "active_units": int((kl_by_dimension > ACTIVE_UNIT_KL).sum()),
        }

    def _learning_rate(self, step: int) -> float:
        """Rises linearly over the warm-up, then stays; a function of the step, so that nothing is kept."""
        settings = self.optimisation
        return settings.learning_rate * min(1.0, (step + 1) / max(settings.warmup_steps, 1))

    def _batch(self, step: int, *, seed: int) -> Tensor:
        """Indices of a step's items: every epoch is a new order of all, its last part batch left out."""
        count, size = len(self.training_items), min(self.optimisation.batch_size, len(self.training_items))
        epoch, place = divmod(step, count // size)
        generator = torch.Generator().manual_seed(hash_seed(seed, "epoch", epoch))
        order = torch.randperm(count, generator=generator)
        return order[place * size : (place + 1) * size].to(self.device)

    def _train_until(self, last_step: int, *, seed: int) -> dict[str, float]:
        """Train to before `last_step`; mean losses of the way there."""
        self.network.train()
        total, good_steps = torch.zeros(2, device=self.device), torch.zeros((), device=self.device)
        first = self.progress.step
        for step in range(first, last_step):
            total += torch.stack(self.train_step(step, seed=seed))
            good_steps += (
                total.isfinite().all()
            )  # once it is not a number it stays so; nothing waits for the device
        self.progress.step = last_step
        training_l1, training_kl = (total / (last_step - first)).tolist()
        if not math.isfinite(training_l1 + training_kl):
            raise FloatingPointError(
                f"the loss of {self.model.name} is not a number at step {first + int(good_steps)}. "
                f"Lower train.optimisation.learning_rate or check the training volumes; the checkpoint "
                f"holds the best weights before step {first}."
            )
        return {"training_l1": training_l1, "training_kl": training_kl}

    def _advice_on_batch_size(self) -> str:
        """What to write where a batch does not fit: the largest half of it, quarter and so on that does."""
        size = min(self.optimisation.batch_size, len(self.training_items))
        asked = size
        while size := size // 2:
            self.optimiser.zero_grad(set_to_none=True)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            try:
                generator = torch.Generator(self.device).manual_seed(0)
                self._losses(torch.arange(size, device=self.device), generator)[0].backward()
            except torch.OutOfMemoryError:
                continue
            return (
                f"a batch of {asked} of {self.model.name} does not fit on {self.device}; one of {size} does. "
                f"Write train.optimisation.batch_size: {size}, or take a device with more memory."
            )
        return f"not even one sample of {self.model.name} fits on {self.device}. Take one with more memory."

    def _next_validation(self) -> int:
        every = self.optimisation.validate_every_steps
        return min((self.progress.step // every + 1) * every, self.optimisation.maximum_steps)

    def _patience_is_over(self) -> bool:
        return self.progress.step - self.progress.best_step >= self.optimisation.patience_steps

    def _record(self, measured: dict[str, float]) -> None:
        """Add a row to the history, keep the best weights, and say how long it will take."""
        progress = self.progress
        progress.history.append({"step": progress.step, **measured, "seconds": round(progress.seconds, 2)})
        if measured["validation_l1"] < progress.best_l1:
            progress.best_l1, progress.best_step = measured["validation_l1"], progress.step
            self.best_weights = _copied(self.network.state_dict())
        left = self.optimisation.maximum_steps - progress.step
        logger.info(
            "step %d of %d  l1 train %.5f validation %.5f  KL %.1f  active units %d  at most %.0f s left",
            progress.step,
            self.optimisation.maximum_steps,
            measured["training_l1"],
            measured["validation_l1"],
            measured["validation_kl"],
            measured["active_units"],
            left * progress.seconds / progress.step,
        )

    def _save(self, checkpoint: Path) -> None:
        content = {
            "progress": vars(self.progress),
            "weights": self.network.state_dict(),
            "best_weights": self.best_weights,
            "optimiser": self.optimiser.state_dict(),
        }
        save_atomically(content, checkpoint)

    def _resume(self, checkpoint: Path | None) -> None:
        content = load_checkpoint(checkpoint, self.device) if checkpoint is not None else None
        if content is None:
            return
        self.network.load_state_dict(content["weights"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.best_weights, self.progress = content["best_weights"], Progress(**content["progress"])
        logger.info("going on at step %d", self.progress.step)


def _copied(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights that later steps do not change."""
    return {name: tensor.detach().clone() for name, tensor in weights.items()}
