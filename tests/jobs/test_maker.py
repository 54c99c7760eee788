import json
import platform
from importlib.metadata import version

import numpy as np
import pytest
import torch
from vae_networks import vae, vae_settings

from spatial_erasing.jobs.provenance import describe_maker, maker_of_arrays, makers_of_brains
from spatial_erasing.train.checkpoint import maker_of_weights, save_weights


def test_what_makes_a_file_is_this_python_with_its_packages_the_code_and_the_device():
    maker = json.loads(describe_maker("c0de", device="H100"))
    assert (maker["code"], maker["device"], maker["python"]) == ("c0de", "H100", platform.python_version())
    assert maker["packages"]["torch"] == version("torch") and maker["packages"]["numpy"] == np.__version__


def test_arrays_say_what_made_them_and_are_as_before(tmp_path):
    path, scans = tmp_path / "volumes.npz", np.arange(6, dtype=np.float16)
    np.savez(path, t1=scans, made_by=describe_maker("c0de"))
    assert json.loads(maker_of_arrays(path))["code"] == "c0de"
    with np.load(path) as arrays:
        np.testing.assert_array_equal(arrays["t1"], scans)


@pytest.mark.parametrize("old", [True, False])
def test_weights_say_what_made_them_unless_an_earlier_version_did(tmp_path, old):
    network = vae(vae_settings(2, (8, 8), kernel_size=4))
    path = tmp_path / "weights.pt"
    save_weights(path, network, network.state_dict(), code="c0de")
    if old:
        content = torch.load(path, weights_only=True)
        del content["made_by"]
        torch.save(content, path)
    maker = maker_of_weights(path)
    assert maker is None if old else json.loads(maker)["packages"]["torch"] == version("torch")


def test_arrays_of_an_earlier_version_say_nothing(tmp_path):
    np.savez(tmp_path / "volumes.npz", t1=[1])
    assert maker_of_arrays(tmp_path / "volumes.npz") is None


def test_brains_say_what_made_each_of_them(tmp_path):
    lines = ["subject,folder", "failed,"]
    makers = {"a": {"code": "1"}, "b": {"code": "2"}, "c": {"code": "1"}, "old": None, "removed": None}
    for name, maker in makers.items():
        lines.append(f"{name},{tmp_path / name}")
        if name != "removed":
            (tmp_path / name).mkdir()
            (tmp_path / name / "record.json").write_text(json.dumps({"made_by": maker} if maker else {}))
    (tmp_path / "batch-000.csv").write_text("\n".join(lines) + "\n")
    assert makers_of_brains(tmp_path / "batch-000.csv") == ['{"code": "1"}', '{"code": "2"}']
