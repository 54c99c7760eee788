"""A training step recorded as a CUDA graph and replayed: one launch instead of several hundred."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

WARM_UP_STEPS = 3  # kernel selection and workspace allocation cannot be recorded

Step = Callable[[Tensor, Tensor, Generator], dict[str, Tensor]]


class RecordedStep:
    """Replays a step with other items, erasing and noise; weights change in place.

    The step reads only its arguments and memory at fixed addresses, without host-device synchronisation. From
    the generator's seed, a replay draws the same numbers as the step.
    """

    def __init__(self, step: Step, indices: Tensor, drawn: Tensor, generator: Generator) -> None:
        self._slots = indices.clone(), drawn.clone()
        self._graph = torch.cuda.CUDAGraph()
        # otherwise every replay would repeat the noise of the recording
        self._graph.register_generator_state(generator)
        self._outputs = self._record(step, generator)

    def _record(self, step: Step, generator: Generator) -> dict[str, Tensor]:
        """Record the step; if that fails, raise the step's own error, not the failed end of the recording."""
        cause = None
        try:
            with torch.cuda.graph(self._graph):
                try:
                    return step(*self._slots, generator)
                except Exception as error:
                    cause = error
                    raise
        except RuntimeError as error:
            raise cause or error from None

    def __call__(self, indices: Tensor, drawn: Tensor, _generator: Generator) -> dict[str, Tensor]:
        """The step's return values; the next call overwrites them."""
        for slot, values in zip(self._slots, (indices, drawn), strict=True):
            slot.copy_(values)
        self._graph.replay()
        return self._outputs


def record_step(
    step: Step,
    indices: Tensor,
    drawn: Tensor,
    generator: Generator,
    *,
    network: nn.Module,
    optimiser: Optimizer,
) -> RecordedStep:
    """Warm up a step, restore the state from before, and record the step.

    Raises:
        RuntimeError: the step has an operation that a CUDA graph cannot record.
    """
    weights, moments = copied(network.state_dict()), [tensor.clone() for tensor in _moments(optimiser)]
    place = generator.get_state()
    # CUDA graphs require a warm-up on a side stream
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP_STEPS):
            step(indices, drawn, generator)
    torch.cuda.current_stream().wait_stream(stream)
    network.load_state_dict(weights)
    for number, tensor in enumerate(_moments(optimiser)):
        if moments:
            tensor.copy_(moments[number])
        else:
            tensor.zero_()
    optimiser.zero_grad(set_to_none=True)
    generator.set_state(place)
    return RecordedStep(step, indices, drawn, generator)


def copied(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """A copy of the weights, which later steps do not change."""
    return {name: tensor.detach().clone() for name, tensor in weights.items()}


def _moments(optimiser: Optimizer) -> list[Tensor]:
    """The optimiser's state tensors of all weights."""
    return [tensor for state in optimiser.state.values() for tensor in state.values()]
