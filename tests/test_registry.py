"""Every registry with a further member: a module in a folder beside those of the library."""

import sys
from importlib import import_module
from textwrap import dedent

import numpy as np
import pytest
import torch
from paper_study import CONFIG
from test_study import SCHEMA, merged

from spatial_erasing.cohorts import Split
from spatial_erasing.jobs.provenance import code_fingerprint
from spatial_erasing.models import ModelSpec
from spatial_erasing.registry import BASELINES, ERASINGS, FILLS, NETWORKS, SCORES, needs_healthy
from spatial_erasing.run import find_threshold, reconstruct_scans, train_model
from spatial_erasing.score.maps import Scoring, score_maps
from spatial_erasing.study import check_schema, check_study
from spatial_erasing.train import convolutions
from spatial_erasing.train.settings import ComputeSettings
from spatial_erasing.train.start import training_settings

POST_PROCESSING = {"erosion_iterations": 0, "median_size_voxels": 1}
OPTIMISATION = {"batch_size": 2, "learning_rate": 0.01, "warmup_steps": 0, "maximum_steps": 4}
OPTIMISATION |= {"validate_every_steps": 2, "patience_steps": 4}
VAE = CONFIG["networks"]["vae"] | {"feature_maps": [4, 8], "latent_size": {"2d": 4, "3d": 6}}

MEMBERS = {
    ERASINGS: """
        import torch

        def draw(count, grid, *, settings, generator):
            return torch.rand(count, *grid, generator=generator) < 0.5

        def region(drawn, grid):
            return drawn
        """,
    FILLS: """
        def fill(scans, *, settings, generator):
            return scans.flip(0)
        """,
    NETWORKS: """
        from dataclasses import dataclass

        import torch
        from torch import nn

        from spatial_erasing.train import network

        SETTINGS = {"feature_maps": {"type": "array"}, "gain": {"type": "number", "minimum": 0}}

        @dataclass(frozen=True)
        class Settings(network.NetworkSettings):
            gain: float

        class Network(network.Network):
            def __init__(self, settings):
                super().__init__()
                self.settings = settings
                self.weight = nn.Parameter(torch.tensor(settings.gain))

            def forward(self, scans, noise=None):
                return (self.weight * scans,)

            def loss(self, scans, outputs):
                loss = (outputs[0] - scans).abs().mean()
                return loss, {"l1": loss.detach(), "weight": self.weight.detach()}
        """,
    BASELINES: """
        import numpy as np

        def reconstruct(healthy, scans):
            return np.full_like(scans.scans, healthy.scans.max())
        """,
    SCORES: """
        from dataclasses import dataclass

        READS = "reconstruction"
        SETTINGS = {"power": {"enum": [1, 2]}}

        @dataclass(frozen=True)
        class Score:
            power: int

            def score_map(self, scan, reconstruction, brain):
                return abs(scan.astype("f4") - reconstruction.astype("f4")) ** self.power
        """,
}


@pytest.fixture(params=MEMBERS, ids=lambda registry: registry.noun)
def registry(request, tmp_path, monkeypatch):
    """One of the registries, with a further kind called own."""
    add(request.param, "own", MEMBERS[request.param], tmp_path, monkeypatch)
    return request.param


def add(registry, kind, source, folder, monkeypatch):
    """Put a module into the package of a registry for one test."""
    (folder / f"{kind}.py").write_text(dedent(source))
    package = import_module(registry.package)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, f"{registry.package}.{kind}", raising=False)


def split(count, seed, *, lesion=False):
    rng = np.random.default_rng(seed)
    scans = (0.1 + 0.8 * rng.random((count, 8, 8, 8))).astype(np.float16)
    marked = rng.random(scans.shape) < (0.1 if lesion else 0)
    subjects = [("own", f"{seed}-{place}") for place in range(count)]
    return Split(subjects, scans, np.ones(scans.shape, dtype=bool), marked, marked.any(axis=(1, 2)))


def train(model, network=VAE):
    values = {"erasing": CONFIG["train"]["erasing"] | {"maximum_slices": 4, "probability": 1.0}}
    values |= {"augmentation": {"contrast": 0.0}, "optimisation": OPTIMISATION}
    settings = training_settings(model, values=values, computing=ComputeSettings(), seed=1)
    device = torch.device("cpu")
    return train_model(settings, split(4, 0), split(2, 1), network=network, device=device)


def test_a_member_is_listed_and_found(registry):
    assert "own" in registry.kinds() and registry.file("own").stem == "own"
    with pytest.raises(ValueError, match=rf"{registry.noun} 'ovn' is not known; expected one of .*\bown\b"):
        registry.load("ovn")


def test_a_member_can_be_named_in_a_study(registry, monkeypatch):
    entry = {"dims": 3, "network": "vae", "erase": "cube", "fill": "noise", "title": "Own"}
    change = {
        ERASINGS: {"models": {"own": entry | {"erase": "own"}}},
        FILLS: {"models": {"own": entry | {"fill": "own"}}},
        BASELINES: {"models": {"own": {"baseline": "own", "title": "Own"}}},
        NETWORKS: {"networks": {"own": {"kind": "own", "feature_maps": [4], "gain": 1.5}}},
        SCORES: {"scores": {"own": {"kind": "own", "title": "own", "power": 2}}},
    }[registry]
    config = merged(CONFIG, change)
    check_schema(config, SCHEMA)
    check_study(config)


def test_an_erasing_may_be_any_mask_and_a_fill_any_values(tmp_path, monkeypatch):
    add(ERASINGS, "checkered", MEMBERS[ERASINGS], tmp_path, monkeypatch)
    add(FILLS, "other", MEMBERS[FILLS], tmp_path, monkeypatch)
    for dims in (2, 3):
        trained = train(ModelSpec("own", dims, "checkered", "other"))
        assert [row["step"] for row in trained.history] == [2, 4]


def test_a_network_brings_its_loss_its_numbers_and_its_reconstruction(tmp_path, monkeypatch):
    add(NETWORKS, "scaled", MEMBERS[NETWORKS], tmp_path, monkeypatch)
    trained = train(ModelSpec("own", 3, "none", "none"), {"kind": "scaled", "feature_maps": [4], "gain": 0.5})
    columns = ["training_l1", "training_weight", "validation_l1"]
    assert list(trained.history[0]) == ["step", "epoch", *columns, "seconds"] and trained.latent == []
    scans = split(2, 5)
    weight = trained.network.weight.item()
    assert weight > 0.5  # Adam went towards 1
    outputs = reconstruct_scans(trained.network, scans)
    np.testing.assert_allclose(outputs, weight * scans.scans.astype(np.float32), atol=1e-3)


def test_a_baseline_reconstructs(tmp_path, monkeypatch):
    add(BASELINES, "brightest", MEMBERS[BASELINES], tmp_path, monkeypatch)
    healthy = split(3, 0)
    assert (reconstruct_scans("brightest", split(2, 5), healthy) == healthy.scans.max()).all()


def test_a_score_is_computed_from_reconstructions_and_thresholded(tmp_path, monkeypatch):
    add(SCORES, "powered", MEMBERS[SCORES], tmp_path, monkeypatch)
    scans, stored = split(3, 5, lesion=True), split(3, 6).scans
    scoring = Scoring({"kind": "powered", "title": "squared", "power": 2}, POST_PROCESSING)
    expected = ((scans.scans.astype("f4") - stored.astype("f4")) ** 2).astype(np.float16)
    np.testing.assert_array_equal(list(score_maps(scans, stored, scoring)), expected)
    search = {"iterations": 10, "lower": 0.0, "upper": 1.0}
    assert 0 < find_threshold(scans, stored, scoring=scoring, search=search)["threshold"] < 1


READS_NETWORK = """
    from dataclasses import dataclass

    import numpy as np
    import torch

    READS = "network"
    NEEDS_HEALTHY = True
    SETTINGS = {}

    @dataclass(frozen=True)
    class Score:
        def score_maps(self, network, scans, healthy):
            for scan in scans.scans:
                given = torch.from_numpy(scan.astype("f4"))[None, None].requires_grad_()
                (network.reconstruct(given) - given).abs().sum().backward()
                yield given.grad[0, 0].abs().numpy() * float(healthy.scans.mean())
"""


def test_a_score_may_follow_gradients_through_the_network_and_see_healthy_subjects(tmp_path, monkeypatch):
    add(SCORES, "gradient", READS_NETWORK, tmp_path, monkeypatch)
    network = train(ModelSpec("own", 3, "none", "none")).network
    scans, healthy = split(2, 5), split(3, 7)
    score = {"kind": "gradient", "title": "gradient"}
    stored = reconstruct_scans(network, scans, healthy, score=score)
    given = torch.from_numpy(scans.scans[:, None].astype("f4")).requires_grad_()
    (network(given)[0] - given).abs().sum().backward()
    expected = given.grad[:, 0].abs().numpy() * float(healthy.scans.mean())
    np.testing.assert_allclose(stored, expected, rtol=2e-3, atol=1e-4)
    maps = list(score_maps(scans, stored, Scoring(score, POST_PROCESSING)))
    np.testing.assert_array_equal(maps, stored)
    assert needs_healthy(score) and needs_healthy({"kind": "gradient", "of": {"kind": "absolute"}})


def test_a_score_that_reads_the_network_says_whether_it_needs_healthy_scans(tmp_path, monkeypatch):
    for kind in SCORES.kinds():
        assert needs_healthy({"kind": kind}) == (kind == "relative")
    restored = {"kind": "latent_restoration", "of": {"kind": "relative", "of": {"kind": "absolute"}}}
    assert needs_healthy(restored)
    silent = READS_NETWORK.replace("NEEDS_HEALTHY = True", "")
    add(SCORES, "silent", silent, tmp_path, monkeypatch)
    with pytest.raises(ValueError, match=r"silent\.py must define NEEDS_HEALTHY"):
        needs_healthy({"kind": "silent"})


def test_a_kind_counts_in_the_fingerprint_of_the_jobs_that_use_it_and_of_no_others(tmp_path):
    script, kinds = ERASINGS.file("cube"), []
    for share in ("0.5", "0.6"):
        kinds.append(tmp_path / share / "own.py")
        kinds[-1].parent.mkdir()
        kinds[-1].write_text(dedent(MEMBERS[ERASINGS]).replace("0.5", share))
    assert len({code_fingerprint(script), *(code_fingerprint(script, kinds=[kind]) for kind in kinds)}) == 3


def test_settings_may_be_joined_from_those_of_the_same_and_of_an_imported_module(tmp_path, monkeypatch):
    """Without importing the kind, which would fail."""
    source = """
        from spatial_erasing.train.convolutions import CODE, LAYERS
        import no_such_package

        OWN = {"gain": {"type": "number"}}
        SETTINGS = LAYERS | OWN | {"norm": {"enum": ["none"]}}
        """
    add(NETWORKS, "joined", source, tmp_path, monkeypatch)
    own = {"gain": {"type": "number"}, "norm": {"enum": ["none"]}}
    assert NETWORKS.literal("joined", "SETTINGS") == convolutions.LAYERS | own
    assert NETWORKS.literal("vae", "SETTINGS") == NETWORKS.load("vae").SETTINGS


def test_what_a_module_must_define_is_said():
    with pytest.raises(ValueError, match=r"absolute\.py must define CUBES"):
        SCORES.literal("absolute", "CUBES")
    assert SCORES.literal("absolute", "CUBES", None) is None
