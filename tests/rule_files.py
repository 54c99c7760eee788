"""The rules of the workflow as texts, each with the directives that it inherits from another."""

import re
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
BEGIN = re.compile(r"^ *(?:rule (\w+):|use rule (\w+) as (\w+) with:)", re.MULTILINE)


def _rules(path):
    """Rule to its text, in which texts of the rules that it inherits from come last."""
    text = path.read_text()
    begins = list(BEGIN.finditer(text))
    found = {}
    for begin, end in pairwise([*begins, None]):
        inherited = found[begin[2]] if begin[2] else ""
        found[begin[1] or begin[3]] = text[begin.start() : end and end.start()] + inherited
    return found


# a rule whose name begins with of_ is there for others to inherit from
RULES = [
    (path.stem, name, body)
    for path in sorted((ROOT / "workflow/rules").glob("*.smk"))
    for name, body in _rules(path).items()
    if not name.startswith("of_")
]
