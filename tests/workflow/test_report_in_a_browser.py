"""The report as a reader opens it: from disk, without a network, in light and dark."""

import json
from contextlib import ExitStack

import pytest
from chromium import errors_of, started_chromium, wait

from spatial_erasing.cohorts import read_rows, write_rows

pytestmark = pytest.mark.long

# A frame is drawn and read in one go: a canvas is empty again once it is shown.
SHARE_OF_GREY = """
const [canvas, done] = arguments;
requestAnimationFrame(() => {
  document.getElementById("threshold").dispatchEvent(new Event("input"));
  const gl = canvas.getContext("webgl2"), [width, height] = [gl.drawingBufferWidth, gl.drawingBufferHeight];
  const pixels = new Uint8Array(4 * width * height);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  let grey = 0;
  for (let k = 0; k < pixels.length; k += 4) {
    grey += pixels[k] > 40 && pixels[k] === pixels[k + 1] && pixels[k] === pixels[k + 2];
  }
  done(grey / (width * height));
});
"""
VIEWER, FRONT = "results/report/viewer.html", "results/report/front.html"


@pytest.fixture
def open_report():
    """Opens a report in a browser that is closed at the end."""
    with ExitStack() as opened:

        def open_report(path, scheme):
            browser = opened.enter_context(started_chromium(scheme))
            browser.scheme = scheme
            browser.get(path.as_uri())
            wait(browser, "return typeof app !== 'undefined' && app.state?.contentPath?.startsWith('blob:')")
            return browser

        yield open_report


@pytest.fixture(params=["light", "dark"])
def browser(open_report, study, request):
    """The finished report of the tiny study, opened."""
    return open_report(study.folder / "report.html", request.param)


def open_page(browser, path):
    """Show an HTML item of the report and go into its frame."""
    browser.switch_to.default_content()
    browser.execute_script(
        "const path = arguments[0];"
        "app.setView({content: 'html', contentPath: results[path].data_uri, resultPath: path});",
        path,
    )
    wait(browser, f"return app.state.resultPath === '{path}'")
    browser.switch_to.frame(browser.find_element("tag name", "iframe"))
    wait(browser, "return document.readyState === 'complete' && document.body.innerText.length > 20")


def brightness_of_text(browser):
    """Of letters, 0 black to 255 white, as the colour scheme makes it."""
    colour = browser.execute_script("return getComputedStyle(document.body).color")
    return sum(map(float, colour.split("(")[1].rstrip(")").split(",")[:3])) / 3


def test_the_report_opens_with_what_was_run_and_what_came_out(browser, study):
    browser.switch_to.frame(browser.find_element("tag name", "iframe"))
    wait(browser, "return document.readyState === 'complete' && !!document.querySelector('h1')")
    text = browser.find_element("tag name", "body").text
    assert text.startswith("Tiny") and "2 networks" in text and "Table 1" in text
    rows = read_rows(study.results / "report/tables/table_1.csv")
    for row in rows:
        assert row["name"] in text and f"{float(row['auprc_percent']):.2f}" in text
    assert browser.execute_script("return document.querySelector('figure img').naturalWidth") > 500
    dark = browser.scheme == "dark"
    assert (brightness_of_text(browser) > 180) == dark

    browser.execute_script("document.querySelector('[data-category=Tables]').click()")
    browser.switch_to.default_content()
    wait(browser, "return app.state.category === 'Tables'")
    for category in browser.execute_script("return Object.keys(categories)"):
        browser.execute_script("app.showCategory(arguments[0])", category)
        wait(browser, f"return app.state.category === '{category}' && !!document.querySelector('nav table')")
    assert (brightness_of_text(browser) > 180) == dark
    assert errors_of(browser) == []


def test_every_figure_and_page_of_the_report_is_drawn(browser):
    paths = browser.execute_script("return Object.keys(results)")
    assert {VIEWER, FRONT} < set(paths)
    pictures = [path for path in paths if path.endswith(".png")]
    assert len(pictures) >= 6
    for path in pictures:
        browser.execute_script(
            "app.setView({content: 'img', contentPath: results[arguments[0]].data_uri})", path
        )
        wait(browser, "return document.querySelector('#app .p-3 img')?.naturalWidth > 500")
    for path in paths:
        if path.endswith(".html") and path != VIEWER:
            open_page(browser, path)
    assert errors_of(browser) == []


def test_the_viewer_shows_a_volume_and_the_slider_moves_the_mask(browser, study):
    open_page(browser, VIEWER)
    subject = wait(browser, "return document.body.dataset.ready")

    def measured():
        return browser.find_element("id", "measured").text

    (row,) = [
        row
        for cohort in ("brats", "atlas")
        for row in read_rows(
            study.results / f"evaluate/3d-cube-noise/fraction-100/seed-1/{cohort}-t1/subjects.csv"
        )
        if row["subject"] == subject
    ]
    assert measured().startswith(f"Dice {100 * float(row['dice']):.1f} %")  # what Table 1 counts
    assert browser.execute_script("return document.getElementById('problem').hidden")
    drawn = browser.execute_async_script(SHARE_OF_GREY, browser.find_element("id", "canvas"))
    assert drawn > 0.02, "no grey matter on the canvas"

    before = measured()
    move = "const bar = document.getElementById('threshold'); bar.value = arguments[0] * bar.max;"
    move += "bar.dispatchEvent(new Event('input'));"
    browser.execute_script(move, 0.0)
    everything = measured()
    browser.execute_script(move, 0.9)
    assert len({before, everything, measured()}) == 3
    browser.execute_script("document.getElementById('reset').click()")
    assert measured() == before
    assert (brightness_of_text(browser) > 180) == (browser.scheme == "dark")
    assert errors_of(browser) == []


HOSTILE = "<img src=x onerror='window.hostile=1'><script>window.hostile=1</script>\"&"


def test_nothing_runs_that_a_title_or_a_scan_brings_into_the_report(open_report, changed):
    """Titles come from the config; scanners, reasons and warnings from tables, headers and file names."""
    overlay = changed.workflow / "tiny.yaml"
    overlay.write_text(overlay.read_text().replace('title: "Tiny"', f"title: {json.dumps(HOSTILE)}"))
    for cohort in ("healthy", "brats"):
        manifest = changed.results / f"preprocess/{cohort}/manifest.csv"
        rows = read_rows(manifest)
        rows[0] |= {"scanner": HOSTILE, "warning": HOSTILE}
        write_rows(manifest, rows, columns=rows[0])
    changed.run()

    pages = list(changed.folder.rglob("*.html"))
    assert len(pages) > 6
    for page in pages:
        assert HOSTILE not in page.read_text(), page
    browser = open_report(changed.folder / "report.html", "light")
    seen = ""
    for path in browser.execute_script("return Object.keys(results)"):
        if path.endswith(".html"):
            open_page(browser, path)
            assert browser.execute_script("return window.hostile") is None, path
            seen += browser.find_element("tag name", "body").text
    browser.switch_to.default_content()
    assert browser.execute_script("return window.hostile") is None
    assert seen.count(HOSTILE) >= 3  # title, scanner and warning are shown as they are
