"""Charts of a table of people or images: how a number is spread, shares of a word, one number against another."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from phalanx.view import figures

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def histogram(groups: Mapping[str, Sequence[float]], title: str, step: float, limits: Sequence[float] = ()) -> Figure:
    """How often a number occurs in each group, a row a group, in per cent of it, so that groups of other sizes compare.

    Args:
        groups: name -> values; those that are missing are left out, and groups without any.
        title: of the axis, with the unit.
        step: width of a bar.
        limits: values to mark with a line.
    """
    from plotly.subplots import make_subplots

    known = {name: values for name, group in groups.items() if len(values := _known(group))}
    every = np.concatenate([*known.values(), np.empty(0)])
    low = np.floor(every.min() / step) * step if len(every) else 0.0
    edges = np.arange(low, (every.max() if len(every) else step) + step * 1.001, step)
    rows = max(1, len(known))
    figure = make_subplots(rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.16 / rows)
    for row, (name, values) in enumerate(known.items(), 1):
        counts, _ = np.histogram(values, edges)
        figure.add_bar(
            x=(edges[:-1] + step / 2).tolist(), y=(100 * counts / len(values)).round(3).tolist(), width=step * 0.94,
            name=f"{html.escape(name)}: {len(values)}, median {np.median(values):.3g}", row=row, col=1,
            marker={"color": _colour(row - 1)},
            customdata=[f"{first:g} to {first + step:g}: {count}"
                        for first, count in zip(edges[:-1].tolist(), counts.tolist(), strict=True)],
            hovertemplate=f"{html.escape(name)}, %{{customdata}} (%{{y:.1f}} %)<extra></extra>",
        )  # fmt: skip
    for limit in limits:
        figure.add_vline(x=limit, line={"color": figures.INK, "width": 1.2, "dash": "dot"})
    figure.update_xaxes(title_text=html.escape(title), row=rows, col=1)
    figure.update_yaxes(matches="y", ticksuffix=" %", nticks=4, rangemode="tozero")
    return _unless_empty(figures.dress(figure, height=100 + 120 * rows, hover="closest", legend=True))


def shares(groups: Mapping[str, Mapping[str, int]], title: str) -> Figure:
    """Shares of words in each group, a bar a group.

    Args:
        groups: name -> word -> how often.
        title: what the words are.
    """
    import plotly.graph_objects as go

    words = sorted({word for counts in groups.values() for word in counts})
    totals = {name: max(1, sum(counts.values())) for name, counts in groups.items()}
    figure = go.Figure()
    for place, word in enumerate(words):
        counts = [group.get(word, 0) for group in groups.values()]
        parts = [100 * count / total for count, total in zip(counts, totals.values(), strict=True)]
        figure.add_bar(
            x=parts, y=[html.escape(name) for name in groups], orientation="h", name=html.escape(word) or "not known",
            marker={"color": _colour(place)}, text=[f"{count} ({part:.0f} %)" if count else ""
                                                    for count, part in zip(counts, parts, strict=True)],
            textposition="inside", insidetextanchor="middle", hovertemplate="%{y}: %{text}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title_text=f"{html.escape(title)}, % of the group", range=[0, 100])
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    dressed = figures.dress(figure, height=130 + 44 * len(groups), hover="closest", legend=True)
    return _unless_empty(dressed.update_layout(barmode="stack", legend={"traceorder": "normal"}))


def scatter(groups: Mapping[str, Sequence[tuple[str, float, float]]], titles: tuple[str, str]) -> Figure:
    """One number against another.

    Args:
        groups: name -> (id, across, up) of each row; rows with a missing number are left out.
        titles: of the axes, with their units.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for place, (name, rows) in enumerate(groups.items()):
        known = [row for row in rows if len(_known(row[1:])) == 2]
        figure.add_scatter(
            x=[row[1] for row in known], y=[row[2] for row in known], mode="markers",
            name=f"{html.escape(name) or 'not known'}, {len(known)}",
            marker={"size": 8, "color": _colour(place), "opacity": 0.75, "line": {"width": 0.6, "color": "#ffffff"}},
            customdata=[html.escape(row[0]) for row in known],
            hovertemplate="%{customdata}: %{x:g}, %{y:g}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title_text=html.escape(titles[0]))
    figure.update_yaxes(title_text=html.escape(titles[1]))
    return _unless_empty(figures.dress(figure, height=420, hover="closest", legend=True))


def _unless_empty(figure: Figure) -> Figure:
    """The figure; a line that says so instead of bare axes when nothing is drawn in it."""
    if any(len(trace.x) for trace in figure.data):  # type: ignore[attr-defined]
        return figure
    figure.update_layout(height=80, margin={"t": 8}, shapes=[])
    figure.update_xaxes(visible=False).update_yaxes(visible=False)
    place = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper"}
    return figure.add_annotation(text="no values", showarrow=False, **place)


def _known(values: Sequence[float]) -> np.ndarray:
    numbers = np.array([np.nan if value is None else value for value in values], float)
    return numbers[np.isfinite(numbers)]


def _colour(place: int) -> str:
    return figures.MEMBERS[place % len(figures.MEMBERS)]
