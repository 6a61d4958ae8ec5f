"""The page of a log: out-of-fold scores against the leaderboard; one HTML file that opens anywhere."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from phalanx import __version__
from phalanx.core import files
from phalanx.view import _format, _html, figures
from phalanx.view._html import Cell, escape

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Entries that still have room for their name in the chart.
_NAMED = 12
_BOARDS = (("public", "circle"), ("private", "diamond"))


@dataclass(frozen=True)
class Row:
    """A recipe and its scores; None: not known.

    Args:
        date: when it was noted.
        name: of the recipe.
        oof: out-of-fold score.
        nested: out-of-fold score by nested search.
        interval: of `nested`, or else of `oof`.
        public: on the public leaderboard.
        private: on the private one.
        note: anything.
    """

    date: str
    name: str
    oof: float | None = None
    nested: float | None = None
    interval: tuple[float, float] | None = None
    public: float | None = None
    private: float | None = None
    note: str = ""


def scatter(rows: Sequence[Row], ours: str) -> Figure:
    """Scores of one kind against the leaderboards; on the dotted line they are equal.

    Args:
        rows: the log.
        ours: `oof` or `nested`, the horizontal axis.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    title = {"oof": "out-of-fold score", "nested": "nested score"}[ours]
    known = [row for row in rows if getattr(row, ours) is not None and not (row.public is None and row.private is None)]
    everything: list[np.ndarray] = [np.array(row.interval) for row in known if row.interval and _owner(row) == ours]
    for place, (board, symbol) in enumerate(_BOARDS):
        chosen = [row for row in known if getattr(row, board) is not None]
        if not chosen:
            continue
        across = np.array([getattr(row, ours) for row in chosen], float)
        up = np.array([getattr(row, board) for row in chosen], float)
        everything += [across, up]
        words = [_words(row, ours, board) for row in chosen]
        figure.add_scatter(
            x=across.tolist(), y=up.tolist(), name=board, mode="markers", error_x=_bars(chosen, ours),
            marker={"size": 10, "symbol": symbol, "color": figures.MEMBERS[place]},
            customdata=words, hovertemplate="%{customdata}<extra></extra>",
        )  # fmt: skip
    _name(figure, known, ours)
    low, high = _limits(np.concatenate([*everything, np.empty(0)]))
    figure.add_scatter(
        x=[low, high], y=[low, high], mode="lines", hoverinfo="skip", name="equal",
        line={"color": figures.INK, "width": 1, "dash": "dot"},
    )  # fmt: skip
    figure.update_xaxes(title_text=title, range=[low, high], tickformat="~g")
    figure.update_yaxes(title_text="leaderboard", range=[low, high], tickformat="~g")
    return figures.dress(figure, height=560, hover="closest", legend=True)


def _bars(rows: Sequence[Row], ours: str) -> dict[str, object]:
    """Intervals as whiskers, on the score that they belong to."""
    ends = []
    for row in rows:
        score = getattr(row, ours)
        low, high = row.interval if row.interval and _owner(row) == ours else (score, score)
        ends.append((score - low, high - score))
    below, above = zip(*ends, strict=True)
    return {
        "type": "data", "symmetric": False, "array": above, "arrayminus": below, "thickness": 1, "width": 3,
        "color": figures.INK, "visible": any(map(any, ends)),
    }  # fmt: skip


def _owner(row: Row) -> str:
    """The score that the interval belongs to."""
    return "oof" if row.nested is None else "nested"


def _name(figure: Figure, rows: Sequence[Row], ours: str) -> None:
    """Names above the marks, where there are few."""
    for row in rows if len(rows) <= _NAMED else ():
        top = max(score for score in (row.public, row.private) if score is not None)
        name = html.escape(_format.short(Path(row.name).stem))
        figure.add_annotation(x=getattr(row, ours), y=top, text=name, showarrow=False, yshift=14, font={"size": 11})


def _words(row: Row, ours: str, board: str) -> str:
    lines = [
        f"<b>{html.escape(row.name)}</b>",
        f"{'out-of-fold' if ours == 'oof' else 'nested'} {_format.number(getattr(row, ours))}",
        f"{board} {_format.number(getattr(row, board))}",
        *([html.escape(row.note)] if row.note else []),
    ]
    return "<br>".join(lines)


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Both axes span the same, so that the line of equal scores is the diagonal."""
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    room = max((high - low) * 0.15, 0.002)
    return low - room, high + room


def write(rows: Sequence[Row], agreement: Sequence[Sequence[object]], sentences: Sequence[str], path: Path) -> None:
    """Write the page, whole or not at all; see `render`."""
    files.write_text(path, render(rows, agreement, sentences))


def render(rows: Sequence[Row], agreement: Sequence[Sequence[object]], sentences: Sequence[str]) -> str:
    """The whole page. Equal logs give equal pages, byte for byte.

    Args:
        rows: the log.
        agreement: a table, its headings first.
        sentences: what follows from it.
    """
    parts = []
    for ours, title in (("nested", "Nested scores"), ("oof", "Out-of-fold scores")):
        if any(getattr(row, ours) is not None and (row.public, row.private) != (None, None) for row in rows):
            chart = _html.chart(ours, scatter(rows, ours), f"{title} against the leaderboard")
            parts.append((ours, title, _html.section(ours, title, chart, _NOTES[ours])))
    if len(agreement) > 1:
        table = _html.table([str(cell) for cell in agreement[0]], [[*map(Cell.text, row)] for row in agreement[1:]])
        parts.append(("agreement", "Agreement", _html.section("agreement", "Agreement", table, _NOTES["agreement"])))
    parts.append(("log", "Log", _html.section("log", "Log", _table(rows))))
    titles = (_format.count(len(rows), "recipe") + " and the leaderboard", "phalanx log --html PAGE.html")
    return _html.page("Phalanx log", titles, _headline(sentences), parts, __version__)


_NOTES = {
    "nested": "Each case was scored by a search that did not see it. Whiskers are the 95 % interval.",
    "oof": "Scores on the cases that the recipe was made on; a search makes them look better than they are.",
    "agreement": "Difference: leaderboard less our score, then its standard deviation over the recipes. Same order: "
    "pairs of recipes of which both say that the same one is better.",
}


def _headline(sentences: Sequence[str]) -> str:
    return f'<ul class="notes">{"".join(f"<li>{escape(line)}</li>" for line in sentences)}</ul>' if sentences else ""


def _table(rows: Sequence[Row]) -> str:
    body = [
        [
            Cell.text(row.date), Cell.text(row.name), Cell.number(row.oof), Cell.number(row.nested),
            Cell.text(_format.interval(row.interval)), Cell.number(row.public), Cell.number(row.private),
            Cell.text(row.note),
        ]
        for row in rows
    ]  # fmt: skip
    return _html.table(("date", "recipe", "out-of-fold", "nested", "95 %", "public", "private", "note"), body)
