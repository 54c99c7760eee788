"""What leads up to a recorded step, on the CPU; that replays equal launches is shown on a GPU by
the piece "check" of benchmarks/on_gpu.py."""

import contextlib
from types import SimpleNamespace

import pytest
import torch
from restoring_networks import KINDS, training
from test_engine import same, trainer_of

from spatial_erasing.train import record


@pytest.fixture
def streams(monkeypatch):
    """Streams that do nothing."""
    stream = SimpleNamespace(wait_stream=lambda _: None)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())


@pytest.fixture
def without_gpu(streams, monkeypatch):
    """A recording that is the step itself."""
    monkeypatch.setattr(record, "RecordedStep", lambda step, *_: step)


def recording_trainer(**settings):
    trainer = trainer_of(**settings)
    trainer._update = trainer._first_update
    return trainer


@pytest.mark.parametrize("norm", ["group", "batch"])
def test_warming_up_leaves_no_trace_in_weights_moments_and_draws(without_gpu, norm):
    network = {"norm": norm}
    assert same(recording_trainer(network=network).run(), trainer_of(network=network).run())


@pytest.mark.parametrize("kind", KINDS)
def test_warming_up_leaves_no_trace_where_the_network_draws_a_corruption(without_gpu, kind):
    trainer = training(f"3d-{kind}")
    trainer._update = trainer._first_update
    assert same(trainer.run(), training(f"3d-{kind}").run())


def test_warming_up_leaves_no_trace_in_a_training_that_goes_on(without_gpu, tmp_path):
    checkpoint = tmp_path / "latest.pt"
    trainer_of(optimisation={"maximum_steps": {"2d": 1, "3d": 8}}).run(checkpoint=checkpoint)
    assert same(recording_trainer().run(checkpoint=checkpoint), trainer_of().run())


class Recording:
    """A recording whose end fails if what was recorded has failed, as CUDA's does."""

    def __init__(self, _):
        pass

    def __enter__(self):
        pass

    def __exit__(self, kind, *_):
        if kind is not None:
            raise RuntimeError("capture_end: operation failed due to a previous error during capture")


@pytest.fixture
def recording(streams, monkeypatch):
    """RecordedStep itself, with graphs that do nothing."""
    monkeypatch.setattr(
        torch.cuda, "CUDAGraph", lambda: SimpleNamespace(register_generator_state=lambda _: None)
    )
    monkeypatch.setattr(torch.cuda, "graph", Recording)


def failing_when_recorded(trainer, error):
    """The step fails after its warm-up, while it is recorded."""
    step, calls = trainer._plain_update, []

    def plain_update(*drawn):
        calls.append(drawn)
        if len(calls) > record.WARM_UP_STEPS:
            raise error
        return step(*drawn)

    trainer._plain_update = plain_update
    return trainer


def test_a_step_that_cannot_be_recorded_ends_with_advice(recording):
    refused = RuntimeError("operation not permitted when stream is capturing")
    trainer = failing_when_recorded(recording_trainer(), refused)
    with pytest.raises(RuntimeError, match=r"3d-cube-noise .* not permitted .* train\.compile: false"):
        trainer.run()


def test_a_step_that_does_not_fit_while_it_is_recorded_ends_with_advice(recording):
    trainer = failing_when_recorded(recording_trainer(), torch.OutOfMemoryError("made up"))
    with pytest.raises(MemoryError, match=r"train\.optimisation\.batch_size"):
        trainer.run()


def test_a_step_that_does_not_fit_while_it_warms_up_ends_with_advice(without_gpu):
    trainer = recording_trainer()

    def refuse(_, inputs):
        if len(inputs[0]) > 2:
            raise torch.OutOfMemoryError("made up")

    trainer.network.register_forward_pre_hook(refuse)
    with pytest.raises(MemoryError, match="batch_size: 2"):
        trainer.run()
