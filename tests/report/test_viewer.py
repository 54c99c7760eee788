import base64
import gzip
import json
import re

import nibabel
import numpy as np
import pytest

from spatial_erasing.evaluate.examples import Example
from spatial_erasing.report import viewer
from spatial_erasing.report.viewer import niivue_module, viewer_page


@pytest.fixture
def example():
    generator = np.random.default_rng(3)
    scan, output, score = generator.random((3, 6, 7, 8)).astype(np.float32)
    return Example("brats", "</script><b>name", scan, output, score, score > 0.8, 0.5, 0.25)


def examples_of(page):
    return json.loads(re.search(r"const examples = (\[.*\]);", page)[1])


def volume_of(text):
    return nibabel.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(text)))


def test_the_page_holds_the_volumes_of_each_example_exactly(example):
    page = viewer_page([example], voxel_size_mm=(2.5, 3.0, 2.0), caption="what")
    (shown,) = examples_of(page)
    for name, volume in (("scan", example.scan), ("score", example.difference), ("lesion", example.lesion)):
        image = volume_of(shown[name])
        assert np.array_equal(image.get_fdata(), volume.astype(float))
        assert image.header.get_zooms() == (2.5, 3.0, 2.0)
    assert volume_of(shown["lesion"]).header["intent_code"] == 1002  # a label; NiiVue outlines no other
    assert shown["threshold"] == 0.25 and "voxelMl = 0.015;" in page


def test_a_name_from_a_file_cannot_end_the_script(example):
    page = viewer_page([example], voxel_size_mm=(1, 1, 1), caption="<i>&")
    assert "</script><b>" not in page and "<i>&" not in page
    assert examples_of(page)[0]["subject"] == example.subject


def test_the_same_examples_give_the_same_bytes_and_nothing_is_fetched(example):
    def write():
        return viewer_page([example], voxel_size_mm=(1, 1, 1), caption="c")

    assert write() == write()
    assert not re.search(r"(src|href)=", write())


def test_another_build_of_the_viewer_is_refused_with_the_command_that_mends_it(monkeypatch):
    assert re.search(r"export \{[\w$]+ as Niivue\};\n$", niivue_module())
    monkeypatch.setattr(viewer, "_INSTANCE", re.compile("no such (place)"))
    with pytest.raises(RuntimeError, match=r"pip install -r requirements\.txt"):
        niivue_module()
