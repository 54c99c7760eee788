"""Captions of the report as Snakemake fills them in: text stays text, and no value is missing."""

import html
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest
import yaml
from docutils.core import publish_parts

from spatial_erasing.jobs.provenance import PARTS_OF_PAGES
from spatial_erasing.report.templates import TEMPLATES

ROOT = Path(__file__).parents[2]
TEXTS = ROOT / "workflow/report"
# The rules as Snakemake understands them; --lint lets it read them without any data.
READ_RULES = """
import json, sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, ResourceSettings

with SnakemakeApi() as api:
    loaded = api.workflow(
        resource_settings=ResourceSettings(),
        config_settings=ConfigSettings(configfiles=[Path(sys.argv[1])]),
        snakefile=Path("Snakefile"),
    )
    workflow = loaded._workflow
    print(json.dumps([
        [rule.name, Path(str(file.flags["report"].caption.path)).name, list(rule.params.keys()), str(file)]
        for rule in workflow.rules for file in rule.output if "report" in file.flags
    ]))
"""


def captions():
    """Rule, caption, names of the rule's params and the file that has the caption."""
    command = [sys.executable, "-c", READ_RULES, "tests/workflow/tiny.yaml", "--lint"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


CAPTIONS = captions()
HOSTILE = [
    ".. raw:: html\n\n   <script>document.documentElement.dataset.pwned = 1</script>",
    ".. include:: /etc/passwd",
    "a\n\n.. include:: /etc/passwd",
    "a\u2028\u2028.. include:: /etc/passwd",
    "`x <javascript:alert(1)>`_ and https://x.y :raw-html:`<b>` |sub| [1]_ *a* **b** ``c`` d_ e__",
    "brats_",
    "ends in a backslash \\",
    "ends in a star*",
    "Example::",
    "- {{ 7 * 7 }} {% raw %} {x}",
    "<img src=x onerror=alert(1)> & 'quotes\" ü 脳",
]


class Anything(dict):
    """A config, params or wildcards in which every value is the same text, or a number where one belongs."""

    lists = ("grid_voxels", "percents", "seeds", "percentiles", "flag_outside_ml")
    numbers = ("samples", "flag_beyond_deviations", "2d", "3d")

    def __init__(self, text):
        super().__init__()
        self.text = text

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name):
        if name in self.lists + self.numbers:
            return 1 if name in self.numbers else [1, 2]
        if name == "borrowed":
            return {self.text: self.text}
        if name in ("title", "model", "cohort"):
            return self.text
        return [self.text] if name in ("cohorts", "lesion_cohorts") else Anything(self.text)


def shown(caption, **values):
    """The HTML of a caption, by the same steps as in snakemake/report/__init__.py."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    text = environment.from_string((TEXTS / caption).read_text()).render(snakemake=SimpleNamespace(**values))
    return publish_parts(text, writer="html", settings_overrides={"halt_level": 2})["html_body"]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("caption", sorted(path.name for path in TEXTS.glob("*.rst")))
def test_whatever_a_caption_prints_is_text(caption, text):
    anything = Anything(text)
    page = shown(caption, params=anything, wildcards=anything, config=anything)
    prints_it = re.search(r"\btext\(", (TEXTS / caption).read_text())
    as_it_was = " ".join(text.split())
    assert (html.escape(as_it_was, quote=False) in html.escape(html.unescape(page), quote=False)) == bool(
        prints_it
    )
    assert not re.search(r"<(script|img|a|b|em|dl|pre|table)\b|root:x:|system-message|href", page)


@pytest.mark.parametrize("rule, caption, params, file", CAPTIONS, ids=[":".join(c[:2]) for c in CAPTIONS])
def test_a_caption_uses_only_params_that_its_rule_has(rule, caption, params, file):
    template = (TEXTS / caption).read_text()
    assert set(re.findall(r"snakemake\.params\.(\w+)", template)) <= set(params)
    assert set(re.findall(r"snakemake\.(\w+)", template)) <= {
        "params",
        "wildcards",
    }  # and nothing of the config
    of_file = re.findall(r"{(\w+)", file)
    assert set(re.findall(r"snakemake\.wildcards\.(\w+)", template)) <= set(of_file)


def test_every_caption_belongs_to_a_rule():
    assert {caption for _, caption, _, _ in CAPTIONS} | {"workflow.rst"} == {
        path.name for path in TEXTS.glob("*.rst")
    }


@pytest.mark.parametrize("caption", ["figure_7.rst", "viewer.rst"])
@pytest.mark.parametrize("percentiles, printed", [([50, 75], "percentiles 50, 75"), ([1], "percentile 1")])
def test_the_examples_say_how_they_were_chosen(caption, percentiles, printed):
    params = SimpleNamespace(percentiles=percentiles, model="3d-cube-noise")
    page = html.unescape(shown(caption, params=params))
    assert f"est subjects at {printed} of the subject-wise Dice of 3d-cube-noise" in page


@pytest.mark.parametrize(
    "borrowed, said",
    [({}, "each cohort; the metrics"), ({"a": "b"}, "each cohort, but a uses that of b; the")],
)
def test_table_1_says_whose_threshold_a_cohort_has(borrowed, said):
    assert said in shown("table_1.rst", params=SimpleNamespace(borrowed=borrowed))


def test_the_workflow_s_text_is_about_the_config_that_is_shipped():
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    page = shown("workflow.rst", config=config)
    assert f"<strong>{config['study']['title']}</strong>" in page
    assert "Lesion cohorts: brats, atlas. Grid: 64 × 64 × 64 voxels." in page


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.name)
def test_a_page_prints_nothing_unescaped_but_its_own_markup(template):
    """`|safe` follows a literal; scripts take values as JSON alone."""
    for expression in re.findall(r"\{\{(.*?)\}\}", template.read_text(), re.DOTALL):
        if "|safe" in expression.replace(" ", ""):
            assert re.fullmatch(r"\s*'[^'{]*'\|safe( if .*)?\s*", expression), expression
    for script in re.findall(r"<script(?: type=\"module\")?>(.*?)</script>", template.read_text(), re.DOTALL):
        for expression in re.findall(r"\{\{(.*?)\}\}", script):
            assert expression.strip() in ("examples|tojson", "voxel_ml"), expression


def test_every_page_counts_in_the_rule_that_fills_it_in():
    rules = "".join(path.read_text() for path in ROOT.glob("workflow/rules/*.smk"))
    constants = dict(re.findall(r'^(\w+) = (\(".*"\))$', rules, re.MULTILINE))
    counted = re.findall(r'(?:named|code_fingerprint)\(\s*"\w+",([^)]*)\)', rules)
    counted += [value for name, value in constants.items() if any(f"*{name}" in text for text in counted)]
    pages = {path.name for path in TEMPLATES.iterdir()} - set(PARTS_OF_PAGES)
    assert len(pages) > 5
    assert {page for page in pages if f'"{page}"' not in "".join(counted)} == set()
