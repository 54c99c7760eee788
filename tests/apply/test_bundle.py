"""A bundle: what is in it, what it refuses to be, and whether it still works elsewhere."""

import io
import itertools
import json
import shutil
import stat
import struct
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from spatial_erasing.apply.archive import CHECKSUMS, pack_arrays, read_archive, unpack_arrays, write_archive
from spatial_erasing.apply.bundle import Bundle, open_bundle, settings_text
from spatial_erasing.apply.example import EXPECTED, SCAN, check_example
from spatial_erasing.apply.export import write_bundle
from spatial_erasing.apply.one_scan import Model
from spatial_erasing.apply.run_folder import RunFolder
from spatial_erasing.cli import main
from spatial_erasing.train.network import Network


@pytest.fixture(scope="module")
def files(bundle):
    """The content of the bundle, without its checksums."""
    found = read_archive(bundle)
    return {name: content for name, content in found.items() if name != CHECKSUMS}


def changed(files, name, change):
    """The bundle with another content of a JSON file, its checksums right."""
    content = json.loads(files[name])
    change(content)
    return files | {name: settings_text(content)}


def test_a_bundle_holds_what_applying_needs_and_nothing_that_runs(files):
    weights = {f"weights/3d-none-seed-{seed}.safetensors" for seed in (1, 2)}
    texts = {"README.md", "LICENSE", "metadata.json", "settings.json", "healthy.npz"}
    assert files.keys() == {*texts, *weights, SCAN, EXPECTED}
    assert not any(b"pickle" in content or content[:2] == b"\x80\x02" for content in files.values())
    metadata = json.loads(files["metadata.json"])
    monai = {"version", "changelog", "numpy_version", "pytorch_version", "task", "description", "authors"}
    monai |= {"copyright", "network_data_format", "required_packages_version", "intended_use", "eval_metrics"}
    assert monai <= metadata.keys()
    assert metadata["population"]["training"] == 4 and metadata["population"]["validation"] == 2
    (metrics,) = metadata["eval_metrics"]
    assert metrics["scans"] == 2 and metrics["lesions"] == 2
    assert f"| strokes | 2 | {metrics['average_precision']:.3f} |" in files["README.md"].decode()


def test_the_same_study_gives_the_same_bytes(study, bundle, tmp_path):
    write_bundle(RunFolder.opened(study, "3d-none"), tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == bundle.read_bytes()


def test_several_models_are_one_ensemble(study, bundle, tmp_path):
    """The second model is a copy of the other training, so that the ensemble is known."""
    shutil.copytree(study / "results", tmp_path / "results")
    for stage in ("train", "score"):
        folder = tmp_path / "results" / stage
        shutil.move(
            folder / "3d-none/fraction-100/seed-2",
            folder / "3d-cube-noise/fraction-100/seed-1",
        )
    several = tmp_path / "several.zip"
    names = ("--model", "3d-none", "3d-cube-noise", "--seeds", "1")
    assert main(["bundle", str(tmp_path), *names, "--output", str(several)]) == 0
    found, one = open_bundle(several), open_bundle(bundle)
    assert found.weights == [f"weights/{name}-seed-1.safetensors" for name in ("3d-cube-noise", "3d-none")]
    assert [found.files[name] for name in found.weights] == [one.files[name] for name in one.weights[::-1]]
    assert found.settings == one.settings
    for name, values in one.healthy.items():
        np.testing.assert_allclose(found.healthy[name], values, err_msg=name)
    assert found.metadata["models"] == ["3d-none", "3d-cube-noise"]
    assert "# 3D-None and 3D-Cube-n\n" in found.files["README.md"].decode()


def test_a_study_averages_its_networks_in_the_order_of_the_bundle(study):
    """Ten seeds and more sort as text, and methods may be given in any order."""
    folder = replace(RunFolder.opened(study, "3d-none"), methods=("3d-none", "3d-cube-noise"))
    folder = replace(folder, seeds=(2, 11, 10, 1))
    names = [f"weights/{name}.safetensors" for name in folder.trainings]
    assert len(names) == 8 and list(folder.weights) == list(folder.trainings)
    assert names == Bundle(study, "", {}, {}, dict.fromkeys(names, b"")).weights


def test_models_with_different_networks_do_not_share_a_bundle(study, tmp_path, monkeypatch):
    folder = RunFolder.opened(study, "3d-none")
    real, kinds = Network.to_dict, itertools.count()
    monkeypatch.setattr(Network, "to_dict", lambda network: real(network) | {"kind": str(next(kinds))})
    with pytest.raises(ValueError, match="3d-none have different networks; a bundle holds weights of one"):
        write_bundle(folder, tmp_path / "none.zip")
    assert not (tmp_path / "none.zip").exists()


def test_the_healthy_reference_is_that_of_the_validation_scans(bundle):
    model = Model(open_bundle(bundle))
    healthy = model.healthy_scores("residual")
    assert len(healthy.means) == 2 and len(model.brains.brain_ml) == 6
    mean = (healthy.values * healthy.voxels).sum() / healthy.voxels.sum()
    assert healthy.means.min() <= mean <= healthy.means.max()
    assert healthy.unusual_percent(-1.0) == 0 and healthy.unusual_percent(9.0) == 100
    assert healthy.unusual_percent(float(healthy.means.mean())) == 50


def test_info_is_read_without_torch(bundle):
    code = (
        "import sys; from spatial_erasing.cli import main; status = main(['info', sys.argv[1]]);"
        "assert not {'torch', 'SimpleITK', 'nibabel', 'pandas'} & set(sys.modules); sys.exit(status)"
    )
    command = [sys.executable, "-c", code, str(bundle)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert "# 3D-None" in done.stdout and "no medical device" in done.stdout and "SHA-256" in done.stdout


def test_check_compares_the_example(bundle, files, tmp_path, capsys):
    assert main(["check", str(bundle)]) == 0
    assert "it works here" in capsys.readouterr().out
    expected = unpack_arrays(files[EXPECTED])["score"]
    write_archive(
        tmp_path / "other.zip", files | {EXPECTED: pack_arrays({"score": expected + np.float16(0.02)})}
    )
    assert main(["check", str(tmp_path / "other.zip")]) == 1
    found = check_example(open_bundle(tmp_path / "other.zip"))
    assert found["difference"] == pytest.approx(0.02, abs=1e-3) and not found["is_same"]


def set_in(section, name, value):
    return lambda content: content[section].update({name: value})


RESTORED = {"kind": "latent_restoration", "of": {"kind": "absolute"}, "rate": 0.1, "prior": 1.0}
RELATIVE = {"kind": "relative", "of": {"kind": "absolute"}}
ABSURD = {
    "a grid of a million voxels a side": ("settings.json", set_in("preprocess", "grid_voxels", [10**6] * 3)),
    "a spacing of nothing": ("settings.json", set_in("preprocess", "spacing_mm", 1e-9)),
    "a billion iterations": ("settings.json", set_in("preprocess", "denoise_iterations", 10**9)),
    "a network of a billion maps": ("settings.json", set_in("network", "feature_maps", [10**9, 10**9])),
    "another kind of network": ("settings.json", set_in("network", "kind", "os.system")),
    "a network that climbs": ("settings.json", set_in("network", "kind", "../../evil")),
    "an unknown skull strip": ("settings.json", lambda content: content.update(skull_strip="rm")),
    "a score of a billion steps": (
        "settings.json",
        set_in("scores", "residual", {**RESTORED, "steps": 10**9}),
    ),
    "a score of healthy scans": ("settings.json", set_in("scores", "residual", {**RESTORED, "of": RELATIVE})),
    "a missing section": ("settings.json", lambda content: content.pop("preprocess")),
    "a text for a number": ("settings.json", set_in("preprocess", "spacing_mm", "thick")),
    "no format": ("metadata.json", lambda content: content.pop("bundle_format")),
}


@pytest.mark.parametrize("case", ABSURD)
def test_absurd_settings_are_refused_in_one_sentence(case, files, tmp_path):
    path = tmp_path / "absurd.zip"
    write_archive(path, changed(files, *ABSURD[case]))
    with pytest.raises(
        ValueError, match=r"absurd.zip is not used as a model: .*\. Expected a whole bundle"
    ) as error:
        _ = Model(open_bundle(path)).networks
    assert "\n" not in str(error.value) and len(str(error.value)) < 700


def test_a_newer_format_says_what_to_do(files, tmp_path):
    write_archive(
        tmp_path / "new.zip", changed(files, "metadata.json", lambda content: content.update(bundle_format=9))
    )
    with pytest.raises(
        ValueError, match=r"a bundle of format 9; this version reads up to 1\. Install a newer one"
    ):
        open_bundle(tmp_path / "new.zip")


def rewritten(path, files, *, extra=(), attributes=0o644 << 16):
    """A zip of these files as they are, with more members behind them."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
        for name, content in extra:
            member = zipfile.ZipInfo(name)
            member.external_attr, member.compress_type = attributes, zipfile.ZIP_DEFLATED
            packed.writestr(member, content)
    return path


CLIMBING = ("../evil.py", "/etc/passwd", "weights/../../evil", "..\\evil", "C:\\evil", "weights/", "evil.pkl")


@pytest.mark.parametrize("name", CLIMBING)
def test_a_name_that_is_none_of_a_bundle_is_refused(name, bundle, tmp_path):
    path = rewritten(tmp_path / "hostile.zip", read_archive(bundle), extra=[(name, b"x")])
    with pytest.raises(ValueError, match="which is no file of a bundle"):
        open_bundle(path)
    assert [file.name for file in tmp_path.iterdir()] == ["hostile.zip"]


def test_links_twins_and_bombs_are_refused(bundle, tmp_path):
    whole = read_archive(bundle)
    link = (stat.S_IFLNK | 0o777) << 16
    path = rewritten(tmp_path / "link.zip", whole, extra=[("weights/a", b"/etc/passwd")], attributes=link)
    with pytest.raises(ValueError, match="its weights/a is a link"):
        open_bundle(path)
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = rewritten(tmp_path / "twin.zip", whole, extra=[("README.md", b"x")])
    with pytest.raises(ValueError, match="two of its files have the same name"):
        open_bundle(path)
    path = rewritten(tmp_path / "many.zip", whole, extra=[(f"example/{n}", b"") for n in range(300)])
    with pytest.raises(ValueError, match="files, more than 200"):
        open_bundle(path)
    path = rewritten(tmp_path / "bomb.zip", whole, extra=[("weights/bomb", b"\0" * 1000)])
    content = bytearray(path.read_bytes())
    place = content.rindex(b"weights/bomb") - 46 + 24  # its unpacked length in the directory of the zip
    content[place : place + 4] = struct.pack("<I", 3 << 30)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"it unpacks to 3,\d+,\d+,\d+ bytes"):
        open_bundle(path)


def test_another_content_than_its_checksum_is_refused(bundle, files, tmp_path):
    whole = read_archive(bundle)
    path = rewritten(tmp_path / "changed.zip", whole | {"README.md": b"# a better model"})
    with pytest.raises(ValueError, match=r"README.md does not match its checksum"):
        open_bundle(path)
    path = rewritten(tmp_path / "added.zip", whole, extra=[("weights/more.safetensors", b"x")])
    with pytest.raises(ValueError, match=r"weights/more\.safetensors is not in its list of checksums"):
        open_bundle(path)
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "damaged.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged.zip is not used as a model"):
        open_bundle(tmp_path / "damaged.zip")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(ValueError, match="cannot be read as a zip"):
        open_bundle(tmp_path / "text.zip")


def test_weights_that_are_no_weights_are_refused(files, tmp_path):
    name, path = "weights/3d-none-seed-1.safetensors", tmp_path / "weights.zip"
    header = json.dumps(
        {"w": {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4 * 10**18]}}
    ).encode()
    absurd = struct.pack("<Q", len(header)) + header
    for content in (
        b"",
        b"\x80\x02pickle",
        absurd,
        files[name][:-100],
        files["weights/3d-none-seed-2.safetensors"] + b"x",
    ):
        write_archive(path, files | {name: content})
        with pytest.raises(ValueError, match=r"its weights/3d-none-seed-1.safetensors cannot be used"):
            _ = Model(open_bundle(path)).networks


def test_arrays_that_promise_more_than_they_hold_are_refused(files, tmp_path):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        packed.writestr("brain_ml.npy", stream.getvalue() + b"12345678")
    write_archive(tmp_path / "arrays.zip", files | {"healthy.npz": content.getvalue()})
    with pytest.raises(ValueError, match=r"its healthy.npz cannot be used .*does not fit its 8 bytes"):
        Model(open_bundle(tmp_path / "arrays.zip"))


def test_arrays_come_back_as_they_were():
    arrays = {
        "a": np.arange(6, dtype=np.float16).reshape(2, 3),
        "b.c": np.array(3),
        "d": np.array([], np.int64),
    }
    found = unpack_arrays(pack_arrays(arrays))
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_a_study_that_is_not_there_or_lacks_the_method_says_so(study, tmp_path, capsys):
    assert main(["bundle", str(tmp_path), "--model", "3d-none", "--output", str(tmp_path / "b.zip")]) == 2
    assert "Expected the folder of a finished study" in capsys.readouterr().err
    assert main(["bundle", str(study), "--model", "4d-none", "--output", str(tmp_path / "b.zip")]) == 2
    assert "the study has no network '4d-none'; expected one of 2d-" in capsys.readouterr().err
    command = [
        "bundle",
        str(study),
        "--model",
        "3d-none",
        "--output",
        str(tmp_path / "b.zip"),
        "--seeds",
        "9",
    ]
    assert main(command) == 2
    assert "seed-9/weights.pt does not exist. Train it first" in capsys.readouterr().err
    assert not (tmp_path / "b.zip").exists()
