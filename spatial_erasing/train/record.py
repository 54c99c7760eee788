"""A training step recorded once on the GPU and replayed: one launch in place of some hundred."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

WARM_UP_STEPS = 3  # kernels are chosen and workspaces made, which cannot be recorded

Step = Callable[[Tensor, Tensor, Generator], dict[str, Tensor]]


class RecordedStep:
    """Replays a step on other items, erasings and noise; weights change in place.

    Args:
        step: reads its arguments and nothing else that changes place, and never waits for the device.
        indices: of the items, those of any step.
        drawn: parameters of what is erased.
        generator: of the noise. Every replay draws what the step would draw from the generator's seed.
    """

    def __init__(self, step: Step, indices: Tensor, drawn: Tensor, generator: Generator) -> None:
        self._slots = indices.clone(), drawn.clone()
        self._graph = torch.cuda.CUDAGraph()
        self._graph.register_generator_state(generator)
        self._outputs = self._record(step, generator)

    def _record(self, step: Step, generator: Generator) -> dict[str, Tensor]:
        """Record the step; its own error is raised where ending the recording fails because of it."""
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
        """What the step returns; the next call overwrites it."""
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
    """Warm a step up, put back what that has changed, and record it.

    Args:
        step: one update of the network's weights by the optimiser.
        indices: see `RecordedStep`, as `drawn` and `generator`.
        network: its weights and running means are put back.
        optimiser: its moments are put back, to zero where it has done no step yet.

    Raises:
        RuntimeError: the step does what cannot be recorded.
    """
    weights, moments = copied(network.state_dict()), [tensor.clone() for tensor in _moments(optimiser)]
    place = generator.get_state()
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
    """Weights that later steps do not change."""
    return {name: tensor.detach().clone() for name, tensor in weights.items()}


def _moments(optimiser: Optimizer) -> list[Tensor]:
    """All that an optimiser keeps of each weight."""
    return [tensor for state in optimiser.state.values() for tensor in state.values()]
