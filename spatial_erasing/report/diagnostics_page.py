"""The diagnostics as one page and one Markdown file."""

from collections.abc import Sequence
from pathlib import Path

from spatial_erasing.atomic import replaced_when_complete
from spatial_erasing.report.diagnostics import WARNING, Section
from spatial_erasing.report.table_page import escape_html
from spatial_erasing.report.table_writers import escape_markdown
from spatial_erasing.report.templates import fill_template


def write_sections(sections: Sequence[Section], *, markdown: str | Path, page: str | Path) -> None:
    """Write the tables with their notes, the warning above all of them.

    Args:
        sections: the tables.
        markdown: file to write.
        page: HTML file to write.
    """
    with replaced_when_complete(page) as unfinished:
        text = fill_template("diagnostics.html", warning=WARNING, sections=sections, subscripted=escape_html)
        unfinished.write_text(text, encoding="utf-8")
    with replaced_when_complete(markdown) as unfinished:
        unfinished.write_text(
            "\n\n".join([f"**{WARNING}**", *map(_markdown, sections)]) + "\n", encoding="utf-8"
        )


def _markdown(section: Section) -> str:
    """One table in Markdown."""
    ruler = [":--", *["--:"] * (len(section.columns) - 1)]
    rows = [[escape_markdown(cell) for cell in row] for row in (section.columns, *section.rows)]
    lines = [f"| {' | '.join(row)} |" for row in (rows[0], ruler, *rows[1:])]
    return "\n\n".join([f"## {section.title}", escape_markdown(section.note), "\n".join(lines)])
