"""Pieces of a page: escaped text, tables that sort, lists of facts, charts."""

from __future__ import annotations

import base64
import gzip
import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from phalanx.view import _format

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# A page that may not fetch anything cannot leak what it shows, even if a name slipped through unescaped.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'"
)


def escape(text: object) -> str:
    """Text that may come from anywhere, safe between tags and inside quoted attributes."""
    # A NUL is no legal character of an HTML document.
    return html.escape(str(text).replace("\0", "\ufffd"), quote=True)


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Args:
        html: what is shown; already escaped.
        order: what the column is sorted by; NaN goes last.
    """

    html: str
    order: str | float

    @classmethod
    def text(cls, value: object) -> Cell:
        """Any text."""
        return cls(escape(value), str(value).casefold())

    @classmethod
    def number(cls, value: float | None) -> Cell:
        """A score or a count; a dash for None and NaN."""
        order = math.nan if value is None else float(value)
        return cls(f"{value:,}" if isinstance(value, int) else _format.number(value), order)


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]], caption: str = "", sortable: bool = True) -> str:
    """A table; a column whose cells all sort as numbers is set flush right. A click on a heading sorts by it."""
    rows = [list(row) for row in rows]
    numeric = [all(isinstance(row[place].order, float) for row in rows) for place in range(len(columns))]
    marks = [' class="number"' if right else "" for right in numeric]
    titles = [f'<button type="button">{escape(name)}</button>' if sortable else escape(name) for name in columns]
    heads = "".join(f'<th scope="col"{mark}>{title}</th>' for title, mark in zip(titles, marks, strict=True))
    body = "\n".join("<tr>" + "".join(map(_cell, row, marks)) + "</tr>" for row in rows)
    head = f"<caption>{escape(caption)}</caption>" if caption else ""
    kind = ' class="sortable"' if sortable else ""
    return (
        f'<div class="scroll"><table{kind}>{head}<thead><tr>{heads}</tr></thead><tbody>\n{body}</tbody></table></div>'
    )


def facts(values: Mapping[str, object]) -> str:
    """Names and values, one a line, in as many columns as fit."""
    said = {name: _format.fact(value) for name, value in values.items()}
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in said.items())
    return f'<dl class="facts">{items}</dl>'


def section(name: str, title: str, body: str, note: str = "") -> str:
    """A section with an address of its own; `note` is one plain sentence on how to read it."""
    lead = f'<p class="lead">{escape(note)}</p>' if note else ""
    return f'<section id="{name}"><h2>{escape(title)}</h2>{lead}\n{body}\n</section>'


def page(
    kind: str, titles: tuple[str, str], headline: str, sections: Sequence[tuple[str, str, str]], version: str
) -> str:
    """A whole page that opens anywhere, without a network; with Plotly's script where a section has a chart.

    Args:
        kind: what sort of page it is, `Phalanx report`; plain text of ours.
        titles: the title, and the command that made it.
        headline: HTML that stands first.
        sections: name, title and HTML of each, as `section` makes it.
        version: of Phalanx.
    """
    title, command = titles
    links = "".join(f'<a href="#{name}">{heading}</a>' for name, heading, _ in sections)
    body = "\n".join(part for _, _, part in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escape(title)} - {kind}</title>
<style>
{_asset("page.css")}</style>
</head>
<body>
<div class="layout">
<nav aria-label="Contents"><strong>{kind}</strong><a href="#top">Summary</a>{links}
<button type="button" id="theme" hidden>light / dark</button></nav>
<main id="top">
<header><h1>{escape(title)}</h1><code class="command">{escape(command)}</code></header>
{headline}
{body}
<footer>Written by Phalanx {escape(version)}. This file needs no network.</footer>
</main>
</div>
{plotly() if 'class="chart"' in body else ""}
<script>
{_asset("page.js")}</script>
</body>
</html>
"""


def chart(name: str, figure: Figure, label: str) -> str:
    """A place for a Plotly figure and the figure itself, drawn by the page's script."""
    # Plotly writes <, > and / as \u escapes, so no string can end the element; the engine is named because another
    # one, where it is installed, would give other bytes.
    data = figure.to_json(engine="json")
    height = int(figure.layout.height or 400)  # type: ignore[union-attr]
    return (
        f'<div class="chart" id="chart-{name}" role="img" aria-label="{escape(label)}" style="height:{height}px">'
        "<noscript>This chart needs a browser that runs scripts; its numbers are in the tables of this page.</noscript>"
        f'</div>\n<script type="application/json" id="figure-{name}">{data}</script>'
    )


def plotly() -> str:
    """Plotly's own script, compressed: 2 MB of the page instead of 5. The page's script unpacks it in the browser."""
    import plotly

    script = (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()
    packed = base64.b64encode(gzip.compress(script, compresslevel=9, mtime=0)).decode("ascii")
    return f'<script type="application/gzip" id="plotly">{packed}</script>'


def _cell(cell: Cell, mark: str) -> str:
    order = ("" if math.isnan(cell.order) else f"{cell.order:.9g}") if isinstance(cell.order, float) else None
    key = "" if order is None else f' data-order="{order}"'
    return f"<td{mark}{key}>{cell.html}</td>"


@cache
def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
