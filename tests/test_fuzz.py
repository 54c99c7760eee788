"""Whatever a file holds, it is read or refused with words: never a crash, nor memory for what it promises."""

import copy
import resource
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spatial_erasing import models, study
from spatial_erasing.images.image_files import read_header
from spatial_erasing.images.volumes import read_volume
from spatial_erasing.ingest.exclusion import read_exclusions
from spatial_erasing.ingest.files import describe_grid
from spatial_erasing.ingest.records import Scan
from spatial_erasing.ingest.table import find_scans

ROOT = Path(__file__).parents[1]
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
REFUSED = (ValueError, FileNotFoundError)
TRIES = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def attempt(function, *arguments, **options):
    """What a call returns, and the words with which it refuses."""
    try:
        return function(*arguments, **options), None
    except REFUSED as error:
        return None, str(error)


@pytest.fixture(scope="module", params=[".nii", ".nii.gz", ".mgh", ".mgz"])
def image(request, tmp_path_factory):
    """A small head as a file, and its bytes."""
    path = tmp_path_factory.mktemp("fuzz") / f"head{request.param}"
    kind = nib.Nifti1Image if "nii" in request.param else nib.MGHImage
    data = np.random.default_rng(0).random((20, 20, 20)).astype(np.float32)
    nib.save(kind(data, np.diag([8.0, 8.0, 8.0, 1.0])), path)
    return path, path.read_bytes()


# most changes hit the header, in which a number means something
CHANGES = st.lists(
    st.tuples(st.one_of(st.integers(0, 400), st.integers(0, 40_000)), st.binary(min_size=1, max_size=8)),
    min_size=1,
    max_size=6,
)


@TRIES
@given(changes=CHANGES, length=st.one_of(st.none(), st.integers(0, 40_000)))
def test_a_damaged_image_is_read_or_refused_with_its_name(image, changes, length):
    path, whole = image
    damaged = bytearray(whole)
    for place, content in changes:
        damaged[place : place + len(content)] = content
    damaged_path = path.with_name(f"damaged-{path.name}")
    damaged_path.write_bytes(bytes(damaged[:length]))
    for read in (read_header, describe_grid, read_volume):
        _, refusal = attempt(read, damaged_path)
        assert refusal is None or damaged_path.name in refusal
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4 * 2**20  # KB


WORDS = st.sampled_from(
    ["subject", "scanner", "t1", "lesion", ",", ";", "\t", "\n", '"', "'", "$(id)", "../", "a", ""]
)
TEXTS = st.one_of(
    st.lists(WORDS, max_size=30).map("".join).map(str.encode),
    st.lists(WORDS, max_size=30).map(lambda words: ("subject,scanner,t1\n" + "".join(words)).encode()),
    st.binary(max_size=200),
)


@TRIES
@given(content=TEXTS)
def test_any_table_of_scans_is_read_or_refused(tmp_path, content):
    path = tmp_path / "scans.csv"
    path.write_bytes(content)
    scans, refusal = attempt(lambda: list(find_scans(path, sequences=["t1"])))
    if refusal is None:
        assert all(isinstance(scan, Scan) for scan in scans)
    else:
        assert "scans.csv" in refusal


@TRIES
@given(content=TEXTS)
def test_any_table_of_exclusions_is_read_or_refused(tmp_path, content):
    path = tmp_path / "exclude.csv"
    path.write_bytes(content.replace(b"scanner", b"cohort").replace(b"t1", b"reason"))
    _, refusal = attempt(read_exclusions, path, cohorts=["healthy"])
    assert refusal is None or "exclude.csv" in refusal


def leaves(config, place=()):
    """The way to every value of a config."""
    for key, value in config.items():
        yield (*place, key)
        if isinstance(value, dict):
            yield from leaves(value, (*place, key))


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@TRIES
@given(changes=st.lists(st.tuples(st.sampled_from(list(leaves(CONFIG))), VALUES), min_size=1, max_size=3))
def test_any_config_is_accepted_or_refused_with_words(changes):
    config = copy.deepcopy(CONFIG)
    for (*way, last), value in changes:
        section = config
        for key in way:
            section = section.get(key) if isinstance(section, dict) else None
        if isinstance(section, dict):
            section[last] = value
    for check in (lambda: study.check_schema(config, SCHEMA), lambda: study.check_study(config)):
        _, refusal = attempt(check)
        if refusal is not None:
            assert "config.yaml" in refusal
            return
    models.list_runs(config["study"])
