import torch

from spatial_erasing.train.draws import STEPS_AHEAD, Draws
from spatial_erasing.train.settings import ErasingSettings

GRID, BATCH = (16, 16), 4


def draws(seed=1):
    return Draws(seed=seed, items=10, batch_size=BATCH, device=torch.device("cpu"))


def boxes(drawn, step):
    return drawn.erased(step, "multi_cube", GRID, settings=ErasingSettings(probability=1.0))


def test_a_step_draws_the_same_whatever_was_drawn_before():
    in_order, out_of_order = draws(), draws()
    steps = [0, 1, STEPS_AHEAD - 1, STEPS_AHEAD, 2 * STEPS_AHEAD + 3]
    forward = [(boxes(in_order, step), in_order.batch(step)) for step in steps]
    backward = [(boxes(out_of_order, step), out_of_order.batch(step)) for step in reversed(steps)]
    for (first_boxes, first_batch), (second_boxes, second_batch) in zip(
        forward, reversed(backward), strict=True
    ):
        assert torch.equal(first_boxes, second_boxes) and torch.equal(first_batch, second_batch)


def test_no_two_steps_and_no_two_seeds_erase_the_same():
    drawn = [boxes(draws(), step) for step in range(2 * STEPS_AHEAD)] + [boxes(draws(seed=2), 0)]
    assert len({tuple(step.flatten().tolist()) for step in drawn}) == len(drawn)
    noise = [torch.rand(3, generator=draws(seed).generator(step)) for seed in (1, 2) for step in (0, 1)]
    assert len({tuple(values.tolist()) for values in noise}) == 4
