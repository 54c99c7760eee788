import math
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from paper_study import spec

from spatial_erasing.cohorts import Split
from spatial_erasing.seeds import hash_seed
from spatial_erasing.train import engine
from spatial_erasing.train.draws import STEPS_AHEAD, Draws
from spatial_erasing.train.erase import draw_erased, erase_drawn
from spatial_erasing.train.settings import ComputeSettings
from spatial_erasing.train.start import (
    checkpoint_folder,
    make_network,
    make_trainer,
    remove_checkpoints,
    require_memory,
    training_settings,
)

NETWORK = {
    "kind": "vae",
    "feature_maps": [4, 8],
    "bottleneck_channels": 2,
    "kernel_size": 4,
    "norm": "none",
    "activation": "leaky_relu",
    "output_activation": "linear",
    "latent_size": {"2d": 6, "3d": 8},
    "kl_weight": 1.0,
}
ERASING = {
    "probability": 0.5,
    "minimum_share": 0.01,
    "maximum_share": 0.25,
    "maximum_regions": 10,
    "maximum_slices": 4,
    "noise_from": "image",
}
OPTIMISATION = {
    "batch_size": 4,
    "learning_rate": 0.001,
    "warmup_steps": 0,
    "maximum_steps": {"2d": 12, "3d": 12},
    "validate_every_steps": 4,
    "patience_steps": 100,
}


def healthy(count, *, seed=0):
    rng = np.random.default_rng(seed)
    scans = rng.random((count, 8, 8, 8)).astype(np.float16)
    brain = np.zeros(scans.shape, dtype=bool)
    brain[:, 1:7, 1:7, 2:6] = True
    scans[~brain] = 0
    subjects = [("healthy", f"{seed}-{k}") for k in range(count)]
    nothing = np.zeros(scans.shape, dtype=bool)
    return Split(subjects, scans, brain, nothing, nothing.any(axis=(1, 2)))


def trainer_of(
    model="3d-cube-noise",
    *,
    optimisation=None,
    validation=None,
    network=None,
    without=(),
    augmentation=None,
    seed=3,
    **computing,
):
    torch.set_num_threads(1)
    values = {key: value for key, value in NETWORK.items() if key not in without} | (network or {})
    settings = training_settings(
        spec(model),
        values={
            "erasing": ERASING,
            "augmentation": augmentation or {},
            "optimisation": OPTIMISATION | (optimisation or {}),
        },
        computing=ComputeSettings(**computing),
        seed=seed,
    )
    return make_trainer(
        make_network(
            spec(model).spatial_dims, (8, 8, 8), values=values, seed=seed, device=torch.device("cpu")
        ),
        healthy(10),
        validation or healthy(3, seed=1),
        settings,
    )


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("model", ["2d-none", "2d-patch-noise", "3d-cube-zero", "3d-half-volume-noise"])
def test_training_equals_a_plain_loop_written_out(model):
    trainer = trainer_of(model)
    reference = trainer_of(model)
    network, items = reference.network, reference.training_items.float()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.001)
    order = torch.randperm(len(items), generator=torch.Generator().manual_seed(hash_seed(3, "epoch", 0)))
    grid, erasing = items.shape[2:], reference.settings.erasing
    drawing = {"settings": erasing, "generator": torch.Generator().manual_seed(hash_seed(3, "boxes", 0))}
    drawn = draw_erased(spec(model).erase, 4 * STEPS_AHEAD, grid, **drawing)
    kinds = spec(model).erase, spec(model).fill
    for step in range(2):
        scans = items[order[step * 4 : step * 4 + 4]]
        generator = torch.Generator().manual_seed(hash_seed(3, "step", step))
        filling = {"settings": erasing, "generator": generator}
        erased = erase_drawn(scans, drawn[step * 4 : step * 4 + 4], kinds, **filling)
        noise = torch.randn(len(scans), network.settings.latent_size, generator=generator)
        mean, log_variance = network.encode(erased)
        posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
        prior = torch.distributions.Normal(0.0, 1.0)
        output = network.decode(mean + posterior.scale * noise)
        loss = (output - scans).abs().sum() + torch.distributions.kl_divergence(posterior, prior).sum()
        optimiser.zero_grad()
        (loss / len(scans)).backward()
        optimiser.step()

    for step in range(2):
        trainer.train_step(step)

    for ours, plain in zip(trainer.network.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-6)


def test_validation_l1_is_the_mean_absolute_error_of_whole_items_with_z_at_its_mean():
    trainer = trainer_of()
    l1, _ = trainer.validate()
    with torch.no_grad():
        scans = trainer.validation_items.float()
        mean, _ = trainer.network.encode(scans)
        expected = (trainer.network.decode(mean) - scans).abs().mean()
    assert l1 == pytest.approx(float(expected), rel=1e-5)


def test_training_lowers_the_validation_l1():
    trainer = trainer_of("3d-none", optimisation={"maximum_steps": {"2d": 1, "3d": 60}})
    before, _ = trainer.validate()
    trainer.run()
    assert trainer.progress.best_l1 < 0.8 * before


def test_the_best_weights_are_kept_and_not_the_last():
    trainer = trainer_of(optimisation={"maximum_steps": {"2d": 1, "3d": 16}})
    scripted = iter([0.5, 0.2, 0.4, 0.3])
    at_validation = []

    def validate():
        at_validation.append({name: w.clone() for name, w in trainer.network.state_dict().items()})
        return next(scripted), [1.0, 0.0]

    trainer.validate = validate
    best = trainer.run()

    assert trainer.progress.best_step == 8
    assert same(best, at_validation[1])
    assert not same(best, at_validation[3])


def test_training_stops_when_patience_is_over():
    trainer = trainer_of(optimisation={"maximum_steps": {"2d": 1, "3d": 1000}, "patience_steps": 12})
    scripted = iter([0.5, 0.2] + [0.3] * 10)
    trainer.validate = lambda: (next(scripted), [1.0, 0.0])
    trainer.run()
    assert trainer.progress.step == 8 + 12


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    assert same(trainer_of().run(), trainer_of().run())
    assert not same(trainer_of().run(), trainer_of(seed=4).run())


def test_every_epoch_sees_each_item_at_most_once_and_all_orders_differ():
    trainer = trainer_of()
    epochs = [torch.cat([trainer.draws.batch(2 * epoch + k) for k in range(2)]) for epoch in range(20)]
    assert all(len(set(epoch.tolist())) == 8 for epoch in epochs)
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 20
    assert set(torch.cat(epochs).tolist()) == set(range(10))


def test_a_training_that_was_killed_ends_with_the_weights_of_one_that_was_not(tmp_path):
    """A process is killed with SIGKILL in the middle of its training; the next one goes on."""
    script = textwrap.dedent(f"""
        import os, signal, sys
        from pathlib import Path
        sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[1])!r}]
        from test_engine import trainer_of
        trainer = trainer_of()
        step = trainer.train_step
        def train_step(number):
            if number == 6:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(number)
        trainer.train_step = train_step
        trainer.run(checkpoint=Path({str(tmp_path / "latest.pt")!r}))
    """)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    killed = subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL

    resumed = trainer_of()
    weights = resumed.run(checkpoint=tmp_path / "latest.pt")

    assert same(weights, trainer_of().run())
    assert [row["step"] for row in resumed.progress.history] == [4, 8, 12]


@pytest.mark.parametrize("seconds, steps", [(0, [4, 8, 12]), (60, [4, 12])])
def test_a_checkpoint_is_written_once_a_minute_and_at_the_end(tmp_path, monkeypatch, seconds, steps):
    monkeypatch.setattr(engine, "CHECKPOINT_SECONDS", seconds)
    trainer, written = trainer_of(), []
    monkeypatch.setattr(trainer, "_save", lambda _: written.append(trainer.progress.step))
    trainer.run(checkpoint=tmp_path / "latest.pt")
    assert written == steps


def test_a_loss_that_is_not_a_number_stops_with_its_step_and_keeps_the_best(tmp_path):
    trainer = trainer_of()
    step = trainer.train_step

    def train_step(number):
        numbers = step(number)
        return numbers | {"l1": numbers["l1"] * math.nan} if number == 5 else numbers

    trainer.train_step = train_step
    with pytest.raises(FloatingPointError, match=r"^NaN or infinite loss of 3d-cube-noise at step 5\."):
        trainer.run(checkpoint=tmp_path / "latest.pt")
    kept = torch.load(tmp_path / "latest.pt", weights_only=True)
    assert kept["progress"]["step"] == 4 and kept["progress"]["best_step"] == 4


def test_another_setting_other_data_or_other_code_starts_from_another_checkpoint(tmp_path):
    folders = [
        checkpoint_folder(trainer_of(), tmp_path, code="a"),
        checkpoint_folder(trainer_of(), tmp_path, code="b"),
        checkpoint_folder(trainer_of("3d-none"), tmp_path, code="a"),
        checkpoint_folder(trainer_of(optimisation={"learning_rate": 0.002}), tmp_path, code="a"),
        checkpoint_folder(trainer_of(validation=healthy(3, seed=2)), tmp_path, code="a"),
    ]
    assert len(set(folders)) == len(folders)
    assert checkpoint_folder(trainer_of(), tmp_path, code="a") == folders[0]


def test_a_checkpoint_of_another_config_is_named_and_left_alone(tmp_path, caplog):
    caplog.set_level("INFO")
    other = checkpoint_folder(trainer_of(optimisation={"learning_rate": 0.002}), tmp_path, code="a")
    trainer_of(optimisation={"learning_rate": 0.002}).run(checkpoint=other / "latest.pt")
    before = (other / "latest.pt").read_bytes()
    mine = checkpoint_folder(trainer_of(), tmp_path, code="a")
    assert f"{other} has other settings, data or code" in caplog.text
    assert same(trainer_of().run(checkpoint=mine / "latest.pt"), trainer_of().run())
    assert (other / "latest.pt").read_bytes() == before


def without_seconds(trainer):
    return [{key: row[key] for key in row if key != "seconds"} for row in trainer.progress.history]


def steps_trained(trainer):
    """The numbers of the steps that it computes from now on."""
    numbers, step = [], trainer.train_step
    trainer.train_step = lambda number: numbers.append(number) or step(number)
    return numbers


@pytest.mark.parametrize("first, computed", [(12, 8), (8, 12), (10, 12)])
def test_a_training_with_a_higher_maximum_continues_and_ends_as_one_that_had_it_from_the_start(
    tmp_path, monkeypatch, first, computed
):
    """At 10 steps the last validation is none of the longer training's: that one resumes from step 8."""
    monkeypatch.setattr(engine, "CHECKPOINT_SECONDS", 0)
    trainer_of(optimisation={"maximum_steps": first}).run(checkpoint=tmp_path / "latest.pt")
    longer, whole = (trainer_of(optimisation={"maximum_steps": 20}) for _ in range(2))
    numbers = steps_trained(longer)
    assert same(longer.run(checkpoint=tmp_path / "latest.pt"), whole.run())
    assert numbers == list(range(20 - computed, 20))
    assert without_seconds(longer) == without_seconds(whole)
    assert same(longer.network.state_dict(), whole.network.state_dict())


def of_scripted_validation(patience):
    trainer = trainer_of(optimisation={"maximum_steps": 20, "patience_steps": patience})
    trainer.validate = lambda: ([0.5, 0.6, 0.6, 0.4, 0.6][trainer.progress.step // 4 - 1], [1.0, 0.0])
    return trainer


@pytest.mark.parametrize(
    "first, then, resumes", [(8, 12, True), (8, 100, True), (100, 8, False), (100, 12, True)]
)
def test_a_training_with_more_patience_continues_and_with_too_little_starts_anew(
    tmp_path, monkeypatch, first, then, resumes
):
    monkeypatch.setattr(engine, "CHECKPOINT_SECONDS", 0)
    of_scripted_validation(first).run(checkpoint=tmp_path / "latest.pt")
    again, whole = (of_scripted_validation(then) for _ in range(2))
    numbers = steps_trained(again)
    assert same(again.run(checkpoint=tmp_path / "latest.pt"), whole.run())
    assert (numbers[:1] != [0]) == resumes
    assert without_seconds(again) == without_seconds(whole)


def test_more_steps_cost_nothing_where_patience_had_ended_the_training(tmp_path):
    ended = of_scripted_validation(8)
    best = ended.run(checkpoint=tmp_path / "latest.pt")
    longer = of_scripted_validation(8)
    longer.optimisation = replace(longer.optimisation, maximum_steps=1000)
    numbers = steps_trained(longer)
    assert same(longer.run(checkpoint=tmp_path / "latest.pt"), best)
    assert numbers == [] and longer.progress.history == ended.progress.history


def test_a_training_with_a_lower_maximum_starts_anew(tmp_path, caplog):
    caplog.set_level("INFO")
    trainer_of(optimisation={"maximum_steps": 20}).run(checkpoint=tmp_path / "latest.pt")
    shorter = trainer_of(optimisation={"maximum_steps": 8})
    assert same(
        shorter.run(checkpoint=tmp_path / "latest.pt"), trainer_of(optimisation={"maximum_steps": 8}).run()
    )
    assert shorter.progress.step == 8 and "is of a longer training, to step 20" in caplog.text


def test_only_the_last_state_of_the_training_stays_once_its_weights_are_saved(tmp_path):
    ways = [{}, {"maximum_steps": 20}, {"patience_steps": 50}]
    kept, *same_folder = (checkpoint_folder(trainer_of(optimisation=way), tmp_path, code="a") for way in ways)
    assert same_folder == [kept, kept]
    for folder in (kept, tmp_path / "checkpoint-of-other-code"):
        folder.mkdir()
    remove_checkpoints(tmp_path, kept=kept)
    assert list(tmp_path.iterdir()) == [kept]
    remove_checkpoints(tmp_path, kept=None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", [lambda whole: whole[: len(whole) // 2], lambda _: b"", os.urandom])
def test_a_damaged_checkpoint_is_set_aside_and_the_training_starts_anew(tmp_path, caplog, damage):
    path = tmp_path / "latest.pt"
    expected = trainer_of().run(checkpoint=path)
    damaged = damage(path.read_bytes()) if damage is not os.urandom else os.urandom(1000)
    path.write_bytes(damaged)
    assert same(trainer_of().run(checkpoint=path), expected)
    assert f"{path} cannot be read" in caplog.text and "starts from scratch" in caplog.text
    assert path.with_suffix(".damaged").read_bytes() == damaged


def test_an_empty_split_is_refused():
    with pytest.raises(ValueError, match="validation split has no"):
        trainer_of(validation=healthy(0))


def test_the_learning_rate_rises_linearly_over_the_warm_up():
    trainer = trainer_of(optimisation={"warmup_steps": 4})
    rates = []
    for step in range(6):
        trainer.train_step(step)
        rates.append(trainer.optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([0.00025, 0.0005, 0.00075, 0.001, 0.001, 0.001])


@pytest.mark.parametrize(
    ("fits", "advice"), [(2, "batch_size: 2"), (1, "batch_size: 1"), (0, "not even one")]
)
def test_a_batch_that_does_not_fit_ends_with_the_size_that_would(fits, advice):
    trainer = trainer_of()
    trainer.network.register_forward_pre_hook(lambda _, inputs: refuse(inputs[0], fits))
    with pytest.raises(MemoryError, match=advice):
        trainer.run()


def refuse(scans, fits):
    if len(scans) > fits:
        raise torch.OutOfMemoryError("made up")


def test_samples_that_do_not_fit_on_the_device_are_refused_with_both_sizes():
    samples = [torch.zeros(1000, 1, 10, 10, 10, dtype=torch.float16), torch.zeros(50, 1, 10, 10, 10)]
    require_memory(samples, free_bytes=2_200_000)
    with pytest.raises(MemoryError, match=r"1,050 samples take 0\.0 GB, the device has 0\.0 GB free"):
        require_memory(samples, free_bytes=2_199_999)


def gradients_of(trainer):
    """Gradients of the first step, as one vector."""
    trainer._losses(*trainer._inputs(*trainer._drawn(0)))[0].backward()
    return torch.cat([parameter.grad.flatten() for parameter in trainer.network.parameters()])


@pytest.mark.parametrize("norm", ["none", "batch", "group"])
@pytest.mark.parametrize("model", ["2d-patch-noise", "3d-cube-zero"])
def test_bfloat16_layers_give_the_gradients_of_float32_within_a_tenth(model, norm):
    exact, rounded = (
        gradients_of(trainer_of(model, network={"norm": norm}, precision=precision))
        for precision in ("float32", "bfloat16")
    )
    assert rounded.dtype == torch.float32 and not torch.equal(exact, rounded)
    assert torch.linalg.vector_norm(rounded - exact) < 0.1 * torch.linalg.vector_norm(exact)


def test_weights_trained_in_bfloat16_are_float32_and_end_near_those_of_float32():
    exact, rounded = (trainer_of(precision=precision).run() for precision in ("float32", "bfloat16"))
    for name, weights in exact.items():
        assert rounded[name].dtype == torch.float32
        # Adam's first steps have the size of the rate, whatever the gradient
        torch.testing.assert_close(rounded[name], weights, rtol=0, atol=12 * 0.001)


@pytest.mark.long
def test_compiled_losses_give_the_same_gradients():
    plain, compiled = trainer_of("2d-patch-noise"), trainer_of("2d-patch-noise", compile=True)
    assert compiled._losses != compiled._plain_losses
    torch.testing.assert_close(gradients_of(compiled), gradients_of(plain), rtol=1e-3, atol=1e-4)


def test_training_goes_on_where_compiling_fails(monkeypatch, caplog):
    def broken(*_, **__):
        raise RuntimeError("no C compiler")

    monkeypatch.setattr(torch, "compile", lambda *_, **__: broken)
    trainer = trainer_of(compile=True, network={"norm": "batch"})
    assert same(trainer.run(), trainer_of(network={"norm": "batch"}).run())
    assert "torch.compile failed; the training continues without it: no C compiler" in caplog.text


def test_kl_of_each_dimension_is_kept_with_the_best_weights():
    trainer = trainer_of()
    trainer.run()
    row = next(row for row in trainer.progress.history if row["step"] == trainer.progress.best_step)
    assert len(trainer.progress.best_latent) == 8
    assert sum(trainer.progress.best_latent) == pytest.approx(row["validation_kl"])
    assert row["active_units"] == sum(kl > 0.01 for kl in trainer.progress.best_latent)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="precision is 'half'; expected one of float32, bfloat16"):
        ComputeSettings(precision="half")


def test_every_row_of_the_history_is_observed():
    seen = []
    trainer = trainer_of()
    trainer.run(observe=seen.append)
    assert seen == trainer.progress.history
    assert [row["epoch"] for row in seen] == [2.0, 4.0, 6.0]


@pytest.mark.parametrize("model", ["2d-none", "3d-cube-noise"])
def test_contrast_changes_input_and_target_alike(model):
    trainer = trainer_of(model, augmentation={"contrast": 0.5})
    plain = trainer_of(model)
    scans, erased, _ = trainer._inputs(*trainer._drawn(0))
    whole, _, _ = plain._inputs(*plain._drawn(0))
    kept = erased == scans
    assert kept.float().mean() > 0.5 and not torch.equal(scans, whole)
    for changed, before in zip(scans.float(), whole.float(), strict=True):
        inner = (before > 0.05) & (before < 0.95)
        exponents = changed[inner].log() / before[inner].log()
        assert exponents.std() < 0.02 and math.exp(-0.52) < exponents.mean() < math.exp(0.52)
        assert not changed[before == 0].any()


@pytest.mark.parametrize("model", ["2d-patch-zero", "3d-cube-zero"])
def test_place_and_shape_change_in_input_and_target_alike(model):
    moved = {"mirror": True, "rotation_degrees": 5.0, "scale": 0.06, "shift_percent": 3.0}
    trainer = trainer_of(model, augmentation=moved)
    indices, boxes, drawn_from = trainer._drawn(0)
    scans, erased, _ = trainer._inputs(indices, boxes, drawn_from)
    assert not torch.equal(scans, trainer.training_items[indices].to(scans.dtype))
    is_kept = erased != 0
    assert torch.equal(scans[is_kept], erased[is_kept]) and (scans[~is_kept] > 0).any()


def test_without_augmentation_nothing_is_drawn_for_it():
    """So that the weights of a study without augmentation stay the same bit for bit."""
    trainer = trainer_of()
    indices, drawn, generator = trainer._drawn(0)
    _, erased, _ = trainer._inputs(indices, drawn, generator)
    again = Draws(seed=3, items=len(trainer.training_items), batch_size=4, device=torch.device("cpu"))
    expected = erase_drawn(
        trainer.training_items[indices],
        drawn,
        ("cube", "noise"),
        settings=trainer.settings.erasing,
        generator=again.generator(0),
    )
    assert torch.equal(erased, expected)


def test_a_training_with_contrast_has_a_checkpoint_of_its_own(tmp_path):
    trainers = [trainer_of(augmentation={"contrast": contrast}) for contrast in (0.0, 0.2, 0.2)]
    folders = [checkpoint_folder(trainer, tmp_path, code="") for trainer in trainers]
    assert folders[0] != folders[1] == folders[2]
