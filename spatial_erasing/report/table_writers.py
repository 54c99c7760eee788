"""Tables as CSV for programs, Markdown for the report, HTML for its page and LaTeX for a paper."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from spatial_erasing.jobs.atomic import replaced_when_complete, write_text
from spatial_erasing.report.table_layout import (
    NO_NUMBER,
    VALIDATION_THRESHOLD,
    Block,
    Column,
    baseline_notes,
    cohorts_of,
    printed_blocks,
    table_caption,
)
from spatial_erasing.report.templates import fill_template

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


def write_table(
    table: pd.DataFrame,
    files: Any,
    *,
    title: str,
    grid: tuple[int, ...],
    borrowed: Mapping[str, str],
) -> None:
    """Write a table as CSV, Markdown, HTML and LaTeX with its caption and notes.

    Args:
        table: of `table_1` or `table_2`.
        files: paths with the attributes csv, md, html and tex.
        title: first sentence of the caption.
        grid: voxels of the evaluated volumes.
        borrowed: cohort to the cohort whose threshold it takes.
    """
    source = VALIDATION_THRESHOLD
    if borrowed:
        source += ", but " + ", ".join(
            f"{cohort} takes that of {other}" for cohort, other in borrowed.items()
        )
    caption = table_caption(table, title=title, grid=grid, threshold_source=source)
    write_csv(table, files.csv)
    write_blocks(printed_blocks(table), files, caption=caption, footnotes=baseline_notes(table))


def write_blocks(blocks: Sequence[Block], files: Any, *, caption: str, footnotes: Sequence[str]) -> None:
    """Write the parts of a table as Markdown, HTML and LaTeX.

    Args:
        blocks: one a cohort.
        files: paths with the attributes md, html and tex.
        caption: above the table.
        footnotes: below it.
    """
    write_markdown(blocks, files.md, caption=caption, footnotes=footnotes)
    write_html(blocks, files.html, caption=caption, footnotes=footnotes)
    label = f"tab:{Path(files.tex).stem}"
    write_latex(blocks, files.tex, caption=caption, label=label, footnotes=footnotes)


def write_csv(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV, one row a cohort and model, with every number that we have."""
    blocks = []
    for cohort in cohorts_of(table):
        block = table[cohort].drop(columns=["is_baseline", "sequence_title"], errors="ignore").reset_index()
        block.insert(0, "name", block.pop("name"))
        block.insert(0, "cohort", cohort)
        blocks.append(block)
    with replaced_when_complete(path) as unfinished:
        pd.concat(blocks).to_csv(unfinished, index=False, float_format="%.8g")


def write_markdown(
    blocks: Sequence[Block], path: str | Path, *, caption: str, footnotes: Sequence[str] = ()
) -> None:
    """Write a table as Markdown, one part a cohort."""
    parts = [escape_markdown(caption), *map(_markdown_block, blocks)]
    parts += [f"- {escape_markdown(note)}" for note in footnotes]
    write_text(path, "\n\n".join(parts) + "\n")


def write_html(
    blocks: Sequence[Block], path: str | Path, *, caption: str, footnotes: Sequence[str] = ()
) -> None:
    """Write a table as one HTML page, one part a cohort, the highest number of a column in bold."""
    values = {"title": Path(path).stem, "caption": caption, "footnotes": footnotes}
    write_text(path, fill_template("table.html", blocks=blocks, **values))


def write_latex(
    blocks: Sequence[Block], path: str | Path, *, caption: str, label: str, footnotes: Sequence[str] = ()
) -> None:
    """Write a table as a LaTeX float that needs the package booktabs, one tabular a cohort.

    Args:
        label: what the text refers to, for example "tab:segmentation".
    """
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{escape_latex(caption)}}}",
        rf"\label{{{label}}}",
        "\n\\par\\medskip\n".join(map(_latex_block, blocks)),
        *(rf"\par\smallskip {escape_latex(note)}" for note in footnotes),
        r"\end{table}",
    ]
    write_text(path, "\n".join(lines) + "\n")


def markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """A table of cells that are Markdown already, its first columns to the left, the others to the right."""
    ruler = [":--"] * left + ["--:"] * (len(titles) - left)
    return "\n".join(f"| {' | '.join(row)} |" for row in (titles, ruler, *rows))


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is; DICE_D and DICE_S get their subscript."""
    escaped = re.sub(r"([\\`*_<>|\[\]#])", r"\\\1", text)
    return re.sub(r"DICE\\_([DS])\b", r"DICE<sub>\1</sub>", escaped)


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it is; DICE_D and DICE_S get their subscript."""
    escaped = "".join(_LATEX_SIGNS.get(letter, letter) for letter in text)
    return re.sub(r"DICE\\_([DS])\b", r"\\(\\mathrm{DICE}_\1\\)", escaped)


def _markdown_block(block: Block) -> str:
    columns = {title: [escape_markdown(cell) for cell in cells] for title, cells in block.labels.items()}
    for whose, group in block.groups.items():
        for column in group:
            title = column.title if whose == "ours" else f"{column.title}, {whose}"
            columns[title] = _marked(column, bold="**{}**".format)
    rows = zip(*columns.values(), strict=True)
    table = markdown_table(list(map(escape_markdown, columns)), rows, left=len(block.labels))
    return f"### {escape_markdown(block.heading)}\n\n{table}"


def _latex_block(block: Block) -> str:
    columns = [[escape_latex(cell) for cell in cells] for cells in block.labels.values()]
    for column in chain(*block.groups.values()):
        columns.append(list(map(_latex_number, _marked(column, bold=r"\mathbf{{{}}}".format))))
    titles = [*block.labels, *(column.title for column in chain(*block.groups.values()))]
    body = [_latex_row(row) for row in zip(*columns, strict=True)]
    networks = block.baselines.index(True) if any(block.baselines) else len(body)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{'l' * len(block.labels)}{'r' * (len(titles) - len(block.labels))}}}",
            rf"\multicolumn{{{len(titles)}}}{{l}}{{{escape_latex(block.heading)}}} \\",
            r"\toprule",
            *_latex_groups(block),
            _latex_row([escape_latex(title) for title in titles]),
            r"\midrule",
            *body[:networks],
            *([r"\midrule"] if 0 < networks < len(body) else []),
            *body[networks:],
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _latex_groups(block: Block) -> list[str]:
    """Whose numbers the columns are, and a rule below each group."""
    first = len(block.labels) + 1
    cells, rules = [""] * len(block.labels), ""
    for whose, group in block.groups.items():
        cells.append(rf"\multicolumn{{{len(group)}}}{{c}}{{{escape_latex(whose)}}}")
        rules += rf"\cmidrule(lr){{{first}-{first + len(group) - 1}}}"
        first += len(group)
    return [_latex_row(cells), rules]


def _latex_number(cell: str) -> str:
    """A cell in mathematics, so that ± has its space; a range or a missing number is text."""
    if NO_NUMBER in cell:
        return escape_latex(cell)
    return r"\(" + cell.replace("±", r"\pm") + r"\)"


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _marked(column: Column, *, bold: Callable[[str], str]) -> list[str]:
    return [bold(cell) if best else cell for cell, best in zip(column.cells, column.best, strict=True)]
