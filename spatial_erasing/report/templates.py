"""The pages of the report: templates with one style sheet, filled in by Jinja."""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from jinja2.filters import do_forceescape, do_mark_safe

TEMPLATES = Path(__file__).parent / "pages"


def fill_template(name: str, **values: object) -> str:
    """A page with these values in its places; what comes from files and config is escaped."""
    loader = FileSystemLoader(TEMPLATES)
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["subscripted"] = subscripted
    return environment.get_template(name).render(**values)


def subscripted(text: str) -> str:
    """Text that a page shows as it is; DICE_D and DICE_S get their subscript."""
    return do_mark_safe(re.sub(r"DICE_([DS])\b", r"DICE<sub>\1</sub>", str(do_forceescape(text))))
