"""The page of `phalanx runs`: all runs with their scores, intervals, time and memory; opens anywhere."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phalanx import __version__
from phalanx.core import files
from phalanx.view import _format, _html, figures
from phalanx.view._html import Cell, escape

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_ROW = 26
# Runs that still have room for their name beside their mark.
_NAMED = 12
Row = Mapping[str, Any]


def write(rows: Sequence[Row], sentences: Sequence[str], command: str, path: Path) -> None:
    """Write the page, whole or not at all; see `render`."""
    files.write_text(path, render(rows, sentences, command))


def render(rows: Sequence[Row], sentences: Sequence[str], command: str) -> str:
    """The whole page. Equal rows give equal pages, byte for byte.

    Args:
        rows: what `phalanx runs --json` writes, in the order of the page.
        sentences: what follows from them.
        command: what made the page.
    """
    parts = []
    scored = [row for row in rows if row["dice"] is not None]
    if scored:
        chart = _html.chart("scores", scores(scored), "out-of-fold Dice of every run with its interval")
        parts.append(("scores", "Scores", _html.section("scores", "Scores", chart, _NOTES["scores"])))
    behind = [row for row in scored if row["behind"] is not None]
    if behind:
        chart = _html.chart("behind", gaps(behind), "difference to the best run")
        parts.append(("behind", "Behind the best", _html.section("behind", "Behind the best", chart, _NOTES["behind"])))
    timed = [row for row in scored if row["seconds"]]
    if len(timed) > 1:
        chart = _html.chart("cost", cost(timed), "out-of-fold Dice by time")
        parts.append(("cost", "Time", _html.section("cost", "Time", chart)))
    parts.append(("runs", "Runs", _html.section("runs", "Runs", _table(rows))))
    said = "".join(f"<li>{escape(line)}</li>" for line in sentences)
    headline = f'<ul class="notes">{said}</ul>' if said else ""
    return _html.page("Phalanx runs", (_format.count(len(rows), "run"), command), headline, parts, __version__)


_NOTES = {
    "scores": "Mean out-of-fold Dice, with its 95 % interval (bootstrap over groups); diamonds are test Dice. "
    "Intervals of two runs may overlap although one is better on nearly every case: see the differences.",
    "behind": "Difference to the best run on the cases that both have scored, case by case, with its 95 % interval. "
    "Where the interval holds 0 the run may be as good.",
}


def scores(rows: Sequence[Row]) -> Figure:
    """Dice and interval of every run, and its test Dice."""
    import plotly.graph_objects as go

    figure = go.Figure()
    names = [html.escape(row["run"]) for row in rows]
    means = [row["dice"] for row in rows]
    known = [row["low"] is not None for row in rows]
    said = [
        f"{name}: {_format.number(row['dice'])} {_format.interval((row['low'], row['high']))}"
        for name, row in zip(names, rows, strict=True)
    ]
    figure.add_scatter(
        x=means, y=[*range(len(rows))], mode="markers", name="out-of-fold",
        marker={"size": 10, "color": figures.MEMBERS[0]}, customdata=said, hovertemplate="%{customdata}<extra></extra>",
        error_x={
            "type": "data", "symmetric": False, "color": figures.INK, "thickness": 1.5, "width": 4,
            "array": [row["high"] - row["dice"] if there else 0 for row, there in zip(rows, known, strict=True)],
            "arrayminus": [row["dice"] - row["low"] if there else 0 for row, there in zip(rows, known, strict=True)],
        },
    )  # fmt: skip
    tested = [place for place, row in enumerate(rows) if row["test_dice"] is not None]
    if tested:
        figure.add_scatter(
            x=[rows[place]["test_dice"] for place in tested], y=tested, mode="markers", name="test",
            marker={"size": 9, "symbol": "diamond", "color": figures.MEMBERS[1]},
            customdata=[names[place] for place in tested], hovertemplate="%{customdata}: test %{x:.4f}<extra></extra>",
        )  # fmt: skip
    return _rows(figure, names, "Dice", legend=bool(tested))


def gaps(rows: Sequence[Row]) -> Figure:
    """Difference of every run to the best, with its interval."""
    import plotly.graph_objects as go

    figure = go.Figure()
    names = [html.escape(row["run"]) for row in rows]
    said = [
        f"{name} behind {html.escape(row['best'])}: {row['behind']:+.4f} "
        f"[{row['behind_low']:+.4f}, {row['behind_high']:+.4f}], p {row['p']:.3g}"
        for name, row in zip(names, rows, strict=True)
    ]
    figure.add_scatter(
        x=[row["behind"] for row in rows], y=[*range(len(rows))], mode="markers",
        marker={"size": 10, "color": figures.MEMBERS[0]}, customdata=said, hovertemplate="%{customdata}<extra></extra>",
        error_x={
            "type": "data", "symmetric": False, "color": figures.INK, "thickness": 1.5, "width": 4,
            "array": [row["behind_high"] - row["behind"] for row in rows],
            "arrayminus": [row["behind"] - row["behind_low"] for row in rows],
        },
    )  # fmt: skip
    figure.add_vline(x=0, line={"color": figures.INK, "width": 1, "dash": "dot"})
    return _rows(figure, names, "difference in Dice")


def cost(rows: Sequence[Row]) -> Figure:
    """Dice of every run by the time it took."""
    import plotly.graph_objects as go

    figure = go.Figure()
    minutes = [row["seconds"] / 60 for row in rows]
    figure.add_scatter(
        x=minutes, y=[row["dice"] for row in rows], mode="markers+text" if len(rows) <= _NAMED else "markers",
        text=[html.escape(_format.short(row["run"])) for row in rows], textposition="top center",
        marker={"size": 10, "color": figures.MEMBERS[0]}, customdata=[html.escape(row["run"]) for row in rows],
        hovertemplate="%{customdata}: %{y:.4f} in %{x:.1f} min<extra></extra>",
    )  # fmt: skip
    wide = max(minutes) > 20 * min(minutes)
    figure.update_xaxes(title_text="minutes", tickformat="~g", type="log" if wide else "linear", rangemode="tozero")
    figure.update_yaxes(title_text="out-of-fold Dice", tickformat="~g")
    return figures.dress(figure, height=380, hover="closest")


def _rows(figure: Figure, names: Sequence[str], title: str, legend: bool = False) -> Figure:
    """A line a run, the first on top."""
    figure.update_xaxes(title_text=title, side="top", tickformat="~g")
    figure.update_yaxes(
        range=[len(names) - 0.4, -0.6], tickvals=[*range(len(names))], showgrid=False,
        ticktext=[html.escape(_format.short(html.unescape(name))) for name in names],
    )  # fmt: skip
    dressed = figures.dress(figure, height=120 + _ROW * len(names), hover="closest", legend=legend)
    return dressed.update_layout(legend={"y": 1.0, "yref": "container", "yanchor": "top"}, margin={"t": 60})


def _table(rows: Sequence[Row]) -> str:
    columns = (
        "run", "state", "out-of-fold Dice", "95 %", "behind", "p", "test Dice", "time", "memory", "network", "seed",
        "folds", "cases", "date",
    )  # fmt: skip
    return _html.table(columns, [_line(row) for row in rows])


def _line(row: Row) -> list[Cell]:
    behind = row["behind"]
    memory = row["device_bytes"] if row["device_bytes"] is not None else row["memory_bytes"]
    nan = float("nan")
    return [
        Cell(f'<span class="name-cell">{escape(row["run"])}</span>', row["run"]),
        Cell.text(row["state"]),
        Cell.number(row["dice"]),
        Cell(_format.interval((row["low"], row["high"])) or _format.NONE, nan if row["dice"] is None else row["dice"]),
        Cell("best", 0.0) if row["best"] == row["run"] else Cell(_format.NONE if behind is None else f"{behind:+.4f}",
                                                  nan if behind is None else behind),
        Cell(_format.NONE if row["p"] is None else f"{row['p']:.3f}", nan if row["p"] is None else row["p"]),
        Cell.number(row["test_dice"]),
        Cell(_format.duration(row["seconds"] if row["seconds"] is not None else nan), row["seconds"] or nan),
        Cell(_format.NONE if memory is None else f"{memory / 2**30:.2f} GiB", float(memory or nan)),
        Cell.text(row["network"] or _format.NONE),
        Cell.text(_format.NONE if row["seed"] is None else row["seed"]),
        Cell.text(row["folds"] or _format.NONE),
        Cell.number(row["cases"]),
        Cell.text(row["date"].replace("T", " ")[:16]),
    ]  # fmt: skip
