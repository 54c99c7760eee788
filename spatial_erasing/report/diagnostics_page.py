"""The diagnostics as one page and one Markdown file."""

from collections.abc import Sequence
from pathlib import Path

from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.report.diagnostics import WARNING, Section
from spatial_erasing.report.table_page import escape_html
from spatial_erasing.report.table_writers import escape_markdown, markdown_table
from spatial_erasing.report.templates import fill_template


def write_sections(sections: Sequence[Section], *, markdown: str | Path, page: str | Path) -> None:
    """Write the tables with their notes, the warning above all of them.

    Args:
        sections: the tables.
        markdown: file to write.
        page: HTML file to write.
    """
    filled = fill_template("diagnostics.html", warning=WARNING, sections=sections, subscripted=escape_html)
    write_text(page, filled)
    write_text(markdown, "\n\n".join([f"**{WARNING}**", *map(_markdown, sections)]) + "\n")


def _markdown(section: Section) -> str:
    """One table in Markdown."""
    titles, *rows = ([escape_markdown(cell) for cell in row] for row in (section.columns, *section.rows))
    return "\n\n".join([f"## {section.title}", escape_markdown(section.note), markdown_table(titles, rows)])
