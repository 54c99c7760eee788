"""A table as a page of the report: readable in light and dark, without a network."""

import html
import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pandas as pd

from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.report.table_layout import Block, printed_blocks

_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em; max-width: 60em }
table { border-collapse: collapse; margin: .5em 0 2em }
th, td { padding: .2em .8em; text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
thead tr:last-child th, tr.first-baseline td { border-bottom: 1px solid }
tr.first-baseline td { border-bottom: 0; border-top: 1px solid }
.paper { opacity: .65 }
td small { display: block; font-size: .75em; line-height: 1; opacity: .65 }
"""


def write_html(table: pd.DataFrame, path: str | Path, *, caption: str, footnotes: Sequence[str] = ()) -> None:
    """Write a table as one HTML page, one part a cohort, the highest number of a column in bold."""
    parts = [f"<p>{escape_html(caption)}</p>", *map(_block, printed_blocks(table))]
    if footnotes:
        parts += ["<ul>", *(f"<li>{escape_html(note)}</li>" for note in footnotes), "</ul>"]
    page = f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><style>{_STYLE}</style>\n'
    write_text(path, page + "\n".join(parts) + "\n</html>\n")


def escape_html(text: str) -> str:
    """Text that a page shows as it is; DICE_D and DICE_S get their subscript."""
    return re.sub(r"DICE_([DS])\b", r"DICE<sub>\1</sub>", html.escape(text))


def _block(block: Block) -> str:
    """Heading and table of one cohort."""
    whose = "".join(
        f'<th colspan="{len(columns)}" class="{html.escape(name)}">{escape_html(name)}</th>'
        for name, columns in block.groups.items()
    )
    labels = "".join(f"<th>{escape_html(title)}</th>" for title in block.labels)
    titles = "".join(
        f'<th class="{html.escape(name)}">{escape_html(column.title)}</th>'
        for name, columns in block.groups.items()
        for column in columns
    )
    first_baseline = block.baselines.index(True) if True in block.baselines else None
    rows = []
    for index in range(len(block.baselines)):
        opening = '<tr class="first-baseline">' if index == first_baseline else "<tr>"
        rows.append(opening + "".join(_cells(block, index)) + "</tr>")
    return (
        f"<h2>{escape_html(block.heading)}</h2>\n"
        f"<table><thead><tr>{'<th></th>' * len(block.labels)}{whose}</tr>"
        f"<tr>{labels}{titles}</tr></thead>\n<tbody>" + "\n".join(rows) + "</tbody></table>"
    )


def _cells(block: Block, index: int) -> chain[str]:
    """The cells of one row: what names it, our numbers, the paper's."""
    labels = (f"<td>{escape_html(cells[index])}</td>" for cells in block.labels.values())
    numbers = (
        f'<td class="{html.escape(name)}">'
        + (
            f"<b>{escape_html(column.cells[index])}</b>"
            if column.best[index]
            else escape_html(column.cells[index])
        )
        + "".join(f"<small>{escape_html(interval)}</small>" for interval in column.intervals[index:][:1])
        + "</td>"
        for name, columns in block.groups.items()
        for column in columns
    )
    return chain(labels, numbers)
