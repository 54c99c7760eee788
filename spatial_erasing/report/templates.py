"""The pages and tables of the report: templates with one style sheet, filled in by Jinja."""

import re
from collections.abc import Iterable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape
from jinja2.filters import do_forceescape, do_mark_safe

from spatial_erasing.jobs.atomic import write_text

TEMPLATES = Path(__file__).parent / "pages"
_LATEX_SIGNS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"\(\pm\)",
    "×": r"\(\times\)",
    "–": "--",
} | {sign: f"\\{sign}" for sign in "&%$#_{}"}


def fill_template(name: str, **values: object) -> str:
    """A template with these values in its places.

    What comes from files and config is escaped: in HTML always, in Markdown and LaTeX by the filter
    `subscripted`.
    """
    kind = Path(name).suffix
    # LaTeX has braces of its own
    start, end = ("<<", ">>") if kind == ".tex" else ("{{", "}}")
    environment = Environment(
        variable_start_string=start,
        variable_end_string=end,
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = {".html": subscripted, ".md": escape_markdown, ".tex": escape_latex}
    environment.filters["subscripted"] = shown.get(kind, str)
    return environment.get_template(name).render(**values)


def write_filled(paths: Iterable[str | Path], template: str, **values: object) -> None:
    """Fill in the template of each file's kind: `table.md` for table_1.md."""
    for path in map(Path, paths):
        write_text(path, fill_template(template + path.suffix, **values).rstrip() + "\n")


def subscripted(text: str) -> str:
    """Text that a page shows as it is; DICE_D and DICE_S get their subscript."""
    return do_mark_safe(re.sub(r"DICE_([DS])\b", r"DICE<sub>\1</sub>", str(do_forceescape(text))))


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is, with the same subscripts."""
    escaped = re.sub(r"([\\`*_<>|\[\]#])", r"\\\1", text)
    return re.sub(r"DICE\\_([DS])\b", r"DICE<sub>\1</sub>", escaped)


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it is, with the same subscripts."""
    escaped = "".join(_LATEX_SIGNS.get(letter, letter) for letter in text)
    return re.sub(r"DICE\\_([DS])\b", r"\\(\\mathrm{DICE}_\1\\)", escaped)
