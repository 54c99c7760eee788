"""The page of one scan: what it holds, and what a reader sees and does in a browser."""

import base64
import gzip
import json
import re
import subprocess
import sys
import time
from html.parser import HTMLParser

import nibabel as nib
import numpy as np
import pytest
from chromium import errors_of, started_chromium, wait
from jinja2 import UndefinedError
from skimage.measure import block_reduce

from spatial_erasing.apply import page, shown
from spatial_erasing.apply.page import (
    decades_of,
    matching_level,
    percent_text,
    percentile_levels,
    short_number,
    write_page,
)
from spatial_erasing.apply.shown import Shown, tilt_degrees
from spatial_erasing.images.volumes import Volume
from spatial_erasing.preprocess.resample import turned_grid

LESION_MM = (-24.3, 14.3, 22.4)  # left, anterior, superior
HOSTILE = "</script><script>window.hostile=1</script><img src=x onerror='window.hostile=1'>\"&{{ 7 * 7 }}"
WARNING = {
    "name": "brain_volume",
    "text": "The brain is small.",
    "value": 912.3,
    "low": 1050,
    "high": 1720.5,
    "stop": False,
}
STOP = WARNING | {
    "name": "sequence",
    "text": "This is no T1.",
    "value": -0.31,
    "low": 0.1,
    "high": None,
    "stop": True,
}


def affine_of(axes="RAS", voxel_mm=(2.0, 2.0, 2.0), tilt=0.0):
    """An affine whose voxels run towards these sides, tilted about the axis from left to right."""
    signs = np.zeros((3, 3))
    for column, letter in enumerate(axes):
        signs["RAS".index({"L": "R", "P": "A", "I": "S"}.get(letter, letter)), column] = (
            1 if letter in "RAS" else -1
        )
    turn = np.eye(3)
    turn[1:, 1:] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    affine = np.eye(4)
    affine[:3, :3] = turn @ signs @ np.diag(voxel_mm)
    return affine


def slice_of(scan, affine, point_mm=LESION_MM):
    """The axial slice of a point, counted from 0 at the lowest, as nibabel turns the scan."""
    canonical = nib.as_closest_canonical(nib.Nifti1Image(scan, affine)).affine
    return int(np.rint(nib.affines.apply_affine(np.linalg.inv(canonical), point_mm)[2]))


def case(affine=None, shape=(48, 56, 44), **changes):
    """A round head with a brain, one lesion on the left, and what `apply` says about them."""
    affine = affine_of() if affine is None else affine.copy()
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2  # the middle at the origin
    world = np.einsum("ij,jxyz->ixyz", affine[:3, :3], np.indices(shape)) + affine[:3, 3].reshape(3, 1, 1, 1)
    brain = np.linalg.norm(world, axis=0) < 38
    lesion = np.linalg.norm(world - np.reshape(LESION_MM, (3, 1, 1, 1)), axis=0) < 9
    percentile = np.where(brain, 0.5 + world[1] / 100, 0)
    percentile[lesion] = 0.9995
    voxel_ml = abs(np.linalg.det(affine[:3, :3])) / 1000
    scan = np.where(brain, 600 + world[2], 20).astype(np.float32)
    x, y, z = LESION_MM
    row = {"number": 1, "ml": lesion.sum() * voxel_ml, "peak": 0.41, "x_mm": x, "y_mm": y, "z_mm": z}
    given = {
        "scan": scan,
        "affine": affine,
        "percentile": percentile.astype(np.float32),
        "mask": lesion.astype(np.uint8),
        "candidates": [row | {"slice": slice_of(scan, affine), "percentile": 0.9995}],
        "summary": {
            "scan": "sub-01_T1w.nii.gz",
            "model": "3d-none",
            "version": "0.1.0",
            "total_ml": float(lesion.sum() * voxel_ml),
            "unusual_percent": 97.4,
            "threshold": 0.153,
            "warnings": [],
            "seconds": 12.3,
            "healthy_voxels": 10_000,
            "checksums": {"bundle": "abc123"},
            "card": "Trained on 45 healthy brains.",
        },
    }
    given["summary"] |= changes.pop("summary", {})
    return given | changes


class _Reader(HTMLParser):
    """The visible text of a page, its elements, and the content of its scripts by their names."""

    def __init__(self, text):
        super().__init__()
        self.words, self.tags, self.scripts, self.inside, self.named = [], [], {}, None, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.inside, self.named = tag, dict(attributes).get("id")

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[self.named] = self.scripts.get(self.named, "") + data
        elif self.inside != "style":
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    @property
    def numbers(self):
        return json.loads(self.scripts["numbers"])

    def voxels(self, name):
        """An array as a browser reads it, on the grid of the page, and the affine of that grid."""
        content = gzip.decompress(base64.b64decode(self.scripts[f"{name}-voxels"]))
        shape = self.numbers["shape"]
        return np.frombuffer(content, np.uint8).reshape(shape, order="F"), np.array(self.numbers["affine"])


@pytest.fixture
def written(tmp_path):
    """Writes a page and reads it."""

    def write(**given):
        write_page(tmp_path / "report.html", **given)
        return _Reader((tmp_path / "report.html").read_text(encoding="utf-8"))

    return write


def world_centre(region, affine):
    return affine[:3, :3] @ np.argwhere(region).mean(axis=0) + affine[:3, 3]


ORIENTATIONS = {
    "RAS": affine_of("RAS"),
    "LAS": affine_of("LAS"),
    "LPS": affine_of("LPS"),
    "PIR": affine_of("PIR"),
    "oblique": affine_of("LIA", tilt=0.13),
    "anisotropic": affine_of("LPS", voxel_mm=(1.6, 2.0, 2.4)),
}


@pytest.mark.parametrize("affine", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_whatever_the_orientation_a_lesion_stays_where_it_is_in_the_world(written, affine):
    given = case(affine, shape=(60, 60, 60))
    read = written(**given)
    for name, region in (("mask", 1), ("percentile", 205)):
        found, page_affine = read.voxels(name)
        assert nib.aff2axcodes(page_affine) == ("R", "A", "S")
        assert world_centre(found >= region, page_affine) == pytest.approx(LESION_MM, abs=0.3)
        assert np.count_nonzero(found >= region) == np.count_nonzero(given["mask"])
    (index,) = read.numbers["candidates"]
    assert found[tuple(index)] == percentile_levels(np.array(0.9995), decades=4)
    assert read.numbers["voxelMm"] == pytest.approx(nib.affines.voxel_sizes(page_affine))


@pytest.mark.parametrize("affine", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_slices_are_counted_as_in_the_scan_that_nibabel_turns(written, affine):
    given = case(affine)
    (row,) = given["candidates"]
    read = written(**given)
    (index,) = read.numbers["candidates"]
    assert read.numbers["first"][2] + index[2] == row["slice"]  # as the viewer counts
    place = nib.affines.apply_affine(np.array(read.numbers["affine"]), index)
    voxel_mm = np.array(read.numbers["voxelMm"])
    assert (np.abs(place - LESION_MM) <= voxel_mm.max() / 2 * 1.2).all()
    assert f"axial slice {row['slice']}" in read.text


def test_a_point_between_two_voxels_is_shown_in_the_lower_one():
    grid = turned_grid(Volume(np.zeros((40, 40, 40)), affine_of("PIR", (0.7, 0.9, 1.1), tilt=0.13)))
    whole = Shown(grid, (slice(0, 40),) * 3, (1, 1, 1))
    for k in range(39):
        between = nib.affines.apply_affine(grid.affine, (k + 0.5, k + 0.5, 3))
        assert whole.page_index(between, 7) == [k, k, 7]


def test_the_air_around_a_head_is_left_out_and_no_part_of_the_map(written):
    given = case(shape=(90, 60, 60))
    given["percentile"][3, 30, 30] = 0.7  # far from what is bright
    read = written(**given)
    found, page_affine = read.voxels("percentile")
    assert found.shape[1] < 48 and found.shape[0] < 80
    back = nib.affines.apply_affine(np.linalg.inv(given["affine"]) @ page_affine, np.argwhere(found))
    values = given["percentile"][tuple(np.rint(back).astype(int).T)]
    assert np.array_equal(found[found > 0], percentile_levels(values, decades=4))
    assert np.count_nonzero(found) == np.count_nonzero(given["percentile"])


def test_levels_are_even_in_the_logarithm_of_the_share_above():
    percentile = np.array([0, 1e-6, 0.3, 0.9, 0.99, 0.999, 0.9999, 1.0])
    levels = percentile_levels(percentile, decades=4)
    assert levels[0] == 0 and levels[1] == 1 and levels[-2] == levels[-1] == 255
    above = 10 ** (-4 * (levels[1:].astype(float) - 1) / 254)
    assert np.log10(above) == pytest.approx(np.log10(np.maximum(1 - percentile[1:], 1e-4)), abs=4 / 254 / 2)
    assert (np.diff(percentile_levels(np.linspace(0, 1, 5000), decades=4).astype(int)) >= 0).all()


def test_the_colours_begin_where_they_fill_as_much_as_the_mask():
    rng = np.random.default_rng(3)
    levels = rng.integers(0, 256, (12, 12, 12)).astype(np.uint8)
    for count in (1, 40, 900):
        marked = np.arange(levels.size).reshape(levels.shape) < count
        away = {level: abs(int((levels >= level).sum()) - count) for level in range(1, 257)}
        assert away[matching_level(levels, marked)] == min(away.values())
    assert matching_level(levels, np.zeros_like(marked)) == 256


def test_volumes_above_a_level_are_counted_in_the_scans_own_voxels(written, monkeypatch):
    monkeypatch.setattr(shown, "MAXIMUM_VOXELS", 9000)
    given = case(affine_of("LPS", voxel_mm=(1.6, 2.0, 2.4)))
    numbers = written(**given).numbers
    assert numbers["steps"] != [1, 1, 1]
    for level in (1, 100, 214, 255):
        voxels = np.count_nonzero(percentile_levels(given["percentile"], decades=4) >= level)
        assert numbers["mlFromLevel"][level] == pytest.approx(voxels * 1.6 * 2.0 * 2.4 / 1000, abs=1e-3)
    assert numbers["mlFromLevel"][numbers["level"]] == pytest.approx(given["summary"]["total_ml"], abs=1e-3)


def test_a_large_scan_is_shown_coarser_and_no_mark_is_lost(written, monkeypatch):
    given = case(shape=(49, 55, 43))
    given["scan"] += 200  # no air: nothing is cut away
    whole = {name: written(**given).voxels(name)[0] for name in ("scan", "percentile", "mask")}
    monkeypatch.setattr(shown, "MAXIMUM_VOXELS", 30_000)
    read = written(**given)
    steps = read.numbers["steps"]
    assert np.prod(read.numbers["shape"]) <= 30_000 and "voxels are shown as one" in read.text
    for name, function in (("scan", np.mean), ("percentile", np.max), ("mask", np.max)):
        edge = [(0, -size % step) for size, step in zip(whole[name].shape, steps, strict=True)]
        expected = block_reduce(np.pad(whole[name], edge, mode="edge"), tuple(steps), function)
        found, affine = read.voxels(name)
        assert np.abs(found.astype(float) - expected).max() <= (1 if name == "scan" else 0)
    assert world_centre(found, affine) == pytest.approx(LESION_MM, abs=1)


def test_slices_are_ranked_by_what_is_marked_in_them_and_lie_apart(written):
    given = case()
    given["percentile"][20:25, 20:25, 8] = 0.999  # conspicuous, and not marked
    strip = written(**given).numbers["strip"]
    counts = given["mask"].sum(axis=(0, 1)) * 8 / 1000
    assert strip[0]["ml"] == pytest.approx(counts.max())
    assert [one["ml"] for one in strip] == sorted((one["ml"] for one in strip), reverse=True)
    assert strip[-1]["ml"] > 0
    indices = sorted(one["index"] for one in strip)
    assert len(indices) > 1 and min(np.diff(indices)) * 2 >= page.SLICE_DISTANCE_MM

    tiny = written(**given | {"candidates": []}).text
    assert "smaller than a voxel of the network" in tiny and "No region lies above" not in tiny
    nothing = {"mask": np.zeros_like(given["mask"]), "candidates": []}
    read = written(**given | nothing | {"summary": given["summary"] | {"total_ml": 0.0}})
    assert "no voxel lies above the threshold" in read.text and "smaller than" not in read.text
    assert read.numbers["level"] == 256 and "No region lies above the threshold" in read.text
    shown_slices = read.numbers["strip"]  # the most conspicuous instead
    assert shown_slices[0] == {"index": strip[0]["index"], "ml": 0.0}
    assert 8 - read.numbers["first"][2] in [one["index"] for one in shown_slices]


def test_warnings_stand_above_all_else_with_the_number_and_the_healthy_range(written):
    text = written(**case(summary={"warnings": [WARNING, STOP]})).text
    places = [
        text.index(words)
        for words in (
            "not for diagnosis",
            "Do not use the model on this scan",
            "Sequence: This is no T1. Found −0.31; expected at least 0.1",
            "Brain volume: The brain is small. Found 912.3; expected 1050 to 1720.5",
            "Marked as unusual",
        )
        if words in text or pytest.fail(f"{words} is not in: {text[:900]}")
    ]
    assert places == sorted(places)
    only_note = written(**case(summary={"warnings": [WARNING]})).text
    assert "Do not use" not in only_note and "Unlike the healthy scans" in only_note
    assert "Every check of this scan" in written(**case()).text


def test_the_page_says_what_it_shows_and_what_it_does_not_mean(written):
    given = case()
    text = written(**given).text
    for words in (
        "sub-01_T1w.nii.gz",
        "3d-none, version 0.1.0",
        "97.4 %",
        f"{short_number(given['summary']['total_ml'])} ml in 1 region",
        "Radiological view",
        "A percentile is not the probability of a lesion.",
        "Not a medical device",
        "Trained on 45 healthy brains.",
        "Checksum of bundle abc123",
        "0.153",
        "12.3 s",
        "99.95",
    ):
        assert words in text, words
    assert "tilted" not in text and "spread" not in text
    assert "tilted by 7.45°" in written(**case(affine_of("LIA", tilt=0.13))).text


def test_the_tilt_is_the_angle_that_a_scan_was_turned_by():
    for name, degrees in (("PIR", 0.0), ("oblique", np.degrees(0.13))):
        grid = turned_grid(Volume(np.zeros((4, 5, 6)), ORIENTATIONS[name]))
        assert tilt_degrees(grid) == pytest.approx(degrees, abs=1e-5)


def test_the_spread_of_an_ensemble_is_a_second_map(written):
    given = case()
    spread = np.where(given["percentile"] > 0, 0.02, 0)
    spread[given["mask"] > 0] = 0.08
    read = written(**given, spread=spread)
    assert read.numbers["spreadMax"] == pytest.approx(0.08) and "spread between models" in read.text
    found, _ = read.voxels("spread")
    mask, _ = read.voxels("mask")
    assert np.array_equal(found == 255, mask == 1) and set(np.unique(found)) == {0, 64, 255}


def test_text_from_files_and_headers_is_text_and_nothing_else(written):
    warnings = [WARNING | {"name": HOSTILE, "text": HOSTILE, "value": HOSTILE}]
    words = {"scan": HOSTILE, "model": HOSTILE, "card": HOSTILE, "checksums": {HOSTILE: HOSTILE}}
    given = case(summary=words | {"warnings": warnings})
    given["candidates"][0]["number"] = HOSTILE
    harmless, hostile = written(**case(summary={"warnings": [WARNING]})), written(**given)
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in harmless.tags]
    assert hostile.text.count(HOSTILE) >= 8


def test_the_page_asks_for_nothing_outside_itself(written, tmp_path):
    read = written(**case())
    policies = [given["content"] for tag, given in read.tags if given.get("http-equiv")]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"]
    assert not any({"src", "href", "srcset"} & given.keys() for _, given in read.tags)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|@import|url\(|fetch\(|XMLHttpRequest", text)


def test_a_warning_without_its_words_is_no_page(tmp_path):
    with pytest.raises(UndefinedError, match="text"):
        write_page(tmp_path / "report.html", **case(summary={"warnings": [{"name": "x", "stop": True}]}))
    assert list(tmp_path.iterdir()) == []


def test_the_page_of_a_whole_head_is_small_and_soon_there(tmp_path):
    shape = (256, 256, 256)
    place = np.indices(shape, sparse=True)
    from_middle = sum(((index - 128) / edge) ** 2 for index, edge in zip(place, (85, 110, 125), strict=True))
    head = np.where(from_middle < 1, 600, 5).astype(np.float32)
    head += np.random.default_rng(5).normal(scale=30, size=shape).astype(np.float32)
    percentile = np.where(from_middle < 0.4, 1 - from_middle, 0).astype(np.float32)
    began = time.process_time()
    given = case(scan=head, percentile=percentile, mask=percentile > 0.999, affine=np.eye(4))
    write_page(tmp_path / "report.html", **given, spread=percentile)
    assert time.process_time() - began < 4  # a second on a machine that does nothing else
    assert 4e6 < (tmp_path / "report.html").stat().st_size < 15e6


def test_the_same_scan_gives_the_same_bytes(tmp_path):
    for name in ("one", "other"):
        write_page(tmp_path / name, **case())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_an_empty_scan_has_a_page(written):
    empty = np.zeros((20, 20, 20), np.float32)
    read = written(**case(scan=empty, percentile=empty, mask=empty, candidates=[]))
    assert read.numbers["shape"] == [20, 20, 20] and read.numbers["strip"] == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"mask": np.zeros((3, 4, 5))},
            r"report\.html: the mask has the shape \(3, 4, 5\), the scan \(48, 56",
        ),
        ({"spread": np.zeros((3, 4, 5))}, r"the spread has the shape \(3, 4, 5\)"),
        ({"percentile": np.full((48, 56, 44), 97.0)}, "percentiles reach from 97 to 97. Expected shares"),
        ({"percentile": np.full((48, 56, 44), np.nan)}, "percentiles reach from nan to nan"),
    ],
)
def test_maps_that_do_not_fit_are_refused_and_leave_no_file(tmp_path, changes, said):
    with pytest.raises(ValueError, match=said):
        write_page(tmp_path / "report.html", **case(**changes))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (3, "3"),
        (912.34, "912.3"),
        (0.15342, "0.153"),
        (-31.26, "−31.3"),
        (1e-7, "1e−07"),
        ("a", "a"),
    ],
)
def test_numbers_have_the_digits_that_a_reader_needs(value, text):
    assert short_number(value) == text


def test_no_percentile_is_written_as_100_percent():
    shares = (0.9, 0.99987, 0.99996, 1)
    assert [percent_text(share, 4) for share in shares] == ["90.00", "99.99", "> 99.99", "> 99.99"]
    decades = decades_of(54_968)  # the example model's
    assert [percent_text(share, decades) for share in shares] == ["90.000", "99.987", "99.996", "> 99.998"]
    for voxels in range(1000, 300_000, 1234):
        highest = float(np.float32(1 - 1 / voxels))
        assert float(percent_text(highest, decades_of(voxels))) < 100


def test_levels_reach_the_highest_percentile_that_the_healthy_voxels_can_tell():
    for voxels in (500, 54_968, 1_000_000):
        decades = decades_of(voxels)
        highest = np.float32([1 - 2 / voxels, 1 - 1 / voxels, 1])
        levels = percentile_levels(highest, decades=decades)
        assert levels[1] == levels[2] == 255 > levels[0]
        assert 10 ** (-decades) == pytest.approx(1 / voxels)
    assert decades_of(3) == 2  # a page needs some levels, though three voxels tell next to nothing


def test_the_page_needs_neither_pandas_nor_matplotlib_nor_torch():
    code = "import sys, spatial_erasing.apply.page; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pandas", "matplotlib", "torch", "snakemake"} & set(done.stdout.split())
    assert "jinja2" in done.stdout.split()


# What follows is done in a browser.
PICTURES = "return [...document.querySelectorAll('.picture canvas')].map((canvas) => canvas.toDataURL())"


@pytest.fixture
def opened(tmp_path):
    """Writes a page and opens it, in a window of this width."""
    with started_chromium() as browser:

        def open_page(width=1200, **given):
            write_page(tmp_path / "report.html", **given)
            screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
            browser.get((tmp_path / "report.html").as_uri())
            wait(browser, "return document.body.dataset.drawn > 0")
            return browser

        yield open_page


def after(browser, script, *arguments):
    """Do something to the page and wait until it is drawn again."""
    before = browser.execute_script("return Number(document.body.dataset.drawn)")
    browser.execute_script(script, *arguments)
    wait(browser, f"return document.body.dataset.drawn > {before}")


def cross_of(browser):
    return [int(index) for index in browser.execute_script("return document.body.dataset.cross").split()]


@pytest.mark.long
def test_a_click_on_a_candidate_moves_the_viewer_there(opened):
    given = case()
    far = given["candidates"][0] | {"number": 2, "x_mm": 21.2, "y_mm": -9.2, "z_mm": -12.8, "slice": 15}
    browser = opened(**given | {"candidates": [*given["candidates"], far]})
    numbers = json.loads(browser.execute_script("return document.getElementById('numbers').textContent"))
    assert cross_of(browser) == numbers["candidates"][0]  # where the page opens
    assert "Percentile 99.95 %, exceeded by 1 of 2,000 healthy voxels, marked" in browser.page_source
    after(browser, "document.querySelectorAll('[data-candidate] button')[1].click()")
    assert cross_of(browser) == numbers["candidates"][1]
    assert browser.find_element("id", "place").text.startswith("Cross-hair: right 21.0, anterior −9.0,")
    assert browser.find_element("css selector", "[aria-current=true] button").text.startswith("2")
    after(browser, "document.querySelector('#strip button').click()")
    assert cross_of(browser)[2] == numbers["strip"][0]["index"]
    assert errors_of(browser) == []


@pytest.mark.long
def test_sliders_and_keys_change_what_is_drawn(opened):
    given = case()
    browser = opened(**given, spread=given["percentile"] / 10)
    set_to = "const bar = document.getElementById(arguments[0]); bar.value = arguments[1];"
    set_to += "bar.dispatchEvent(new Event('input'))"
    for name, value in (("threshold", 20), ("opacity", 0.1), ("brightness", 2), ("layer", "spread")):
        before = browser.execute_script(PICTURES)
        after(browser, set_to, name, value)
        assert all(
            one != other for one, other in zip(before, browser.execute_script(PICTURES), strict=True)
        ), name
    first = cross_of(browser)
    for plane, key, moved in (
        ("axial", "ArrowLeft", [1, 0, 0]),  # the patient's right is on the left
        ("axial", "ArrowDown", [1, -1, 0]),
        ("axial", "PageUp", [1, -1, 1]),
        ("sagittal", "ArrowLeft", [1, 0, 1]),  # anterior is on the left
        ("coronal", "ArrowUp", [1, 0, 2]),
    ):
        after(
            browser,
            "document.querySelector(`#${arguments[0]} canvas`)"
            ".dispatchEvent(new KeyboardEvent('keydown', {key: arguments[1], cancelable: true}))",
            plane,
            key,
        )
        assert np.subtract(cross_of(browser), first).tolist() == moved
    after(browser, "document.getElementById('reset').click()")
    assert errors_of(browser) == []


@pytest.mark.long
@pytest.mark.parametrize("orientation", ["RAS", "PIR"])
def test_a_left_lesion_is_drawn_on_the_right_of_the_picture_beside_the_letter_l(opened, orientation):
    browser = opened(**case(ORIENTATIONS[orientation], shape=(60, 60, 60)))
    after(
        browser, "for (const id of ['cross', 'outline']) document.getElementById(id).checked = false; draw()"
    )
    across, down = browser.execute_script(
        "const canvas = document.querySelector('#axial canvas'), {width, height} = canvas;"
        "const {data} = canvas.getContext('2d').getImageData(0, 0, width, height);"
        "let [x, y, n] = [0, 0, 0];"
        "for (let k = 0; k < width * height; k += 1) if (data[4 * k] - data[4 * k + 2] > 40) {"
        "  x += k % width; y += Math.floor(k / width); n += 1; }"
        "return [x / n / width, y / n / height]"
    )
    assert across > 0.6 and down < 0.45  # left and anterior
    place = "return document.querySelector('#axial .right').getBoundingClientRect().x"
    middle = (
        "const box = document.querySelector('#axial').getBoundingClientRect(); return box.x + box.width / 2"
    )
    assert browser.find_element("css selector", "#axial .right").text == "L"
    assert browser.execute_script(place) > browser.execute_script(middle)


@pytest.mark.long
@pytest.mark.parametrize("width", [1200, 400])
def test_the_page_fits_its_window_and_no_text_of_a_file_runs(opened, width):
    words = {"scan": HOSTILE + "a" * 90, "card": HOSTILE, "checksums": {"bundle": "ab" * 32}}
    browser = opened(width, **case(summary=words | {"warnings": [WARNING | {"text": HOSTILE}, STOP]}))
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return window.hostile") is None
    assert browser.find_element("tag name", "h1").text.startswith(HOSTILE)
    red = browser.find_element("css selector", ".stop").value_of_css_property("background-color")
    assert red.startswith(("rgb(179, 38, 30", "rgba(179, 38, 30"))
    assert errors_of(browser) == []
