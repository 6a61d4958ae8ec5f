"""Charts of a search: scores by state, members, weights by class, scores by threshold."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from phalanx.view import _format, figures
from phalanx.view._search_tables import bounds, signed

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Up to as many classes have a line of their own colour; of more, those that the threshold matters most to.
COLOURED = len(figures.MEMBERS)
_GREY, _PALE = "#9aa5b1", "rgba(128,138,150,0.45)"
# One colour from pale to full: a weight of 0 is nothing to worry about, as red would say.
_SHARES = ((0.0, "#eef3f7"), (0.5, "#7fb3d5"), (1.0, "#005a8f"))
_WRITTEN, _COLUMNS = 14, 17
# More names than this above a heat map stand upright.
_SLANTING = 8
# The part of a curve that the axis must hold; outside it scores may fall to 0.
_MIDDLE = (0.3, 0.7)


def states(
    rows: Sequence[Mapping[str, Any]], taken: Mapping[str, bool], title: str, fitted: float | None = None
) -> Figure:
    """Mean and interval of each state, in order; the last one is the ensemble, stages not taken are grey.

    Args:
        rows: entries of `scores`.
        taken: stage -> whether it was.
        title: of the metric.
        fitted: score of the choice on the cases it was found on, drawn beside the last state.
    """
    import plotly.graph_objects as go

    last, places = len(rows) - 1, [*range(len(rows))]
    means = np.array([row["mean"] for row in rows], float)
    ends = np.array([row["interval"] for row in rows], float)
    figure = go.Figure()
    for row, mean, place in zip(rows, means.tolist(), places, strict=True):
        live = place == last or taken.get(row["of"], True)
        colour = figures.MEMBERS[2] if place == last else figures.MEMBERS[0] if live else _GREY
        # The page paints whiskers in its own ink, therefore a stage not taken is pale as a whole.
        common = {"x": [mean], "y": [place], "mode": "markers", "opacity": 1 if live else 0.4}
        gain = row.get("over_mean")
        more = f"<br>{signed(gain['mean'])} {bounds(gain['interval'])} over the plain mean" if gain else ""
        low, high = ends[place].tolist()
        bar = {"type": "data", "symmetric": False, "array": [high - mean], "arrayminus": [mean - low]}
        figure.add_scatter(
            error_x={**bar, "color": colour, "thickness": 1.8, "width": 5}, **common,
            marker={"size": 13 if place == last else 10, "color": colour},
            hovertemplate=f"{html.escape(row['of'])}: {_format.number(mean)} {_format.interval(row['interval'])}{more}"
            "<extra></extra>",
        )  # fmt: skip
        text = {"text": _format.number(mean), "font": {"size": 11}, "opacity": 1 if live else 0.6}
        figure.add_annotation(x=mean, y=place, showarrow=False, yshift=15, **text)
    known = [*means.tolist(), *ends.ravel().tolist()]
    if fitted is not None:
        diamond = {"size": 11, "symbol": "diamond-open", "color": figures.MEMBERS[1], "line": {"width": 2}}
        said = f"on the cases it was found on: {_format.number(fitted)}<extra></extra>"
        figure.add_scatter(x=[fitted], y=[last], mode="markers", marker=diamond, hovertemplate=said)
        known.append(fitted)
    plain = [place for place in places if rows[place]["of"] == "plain mean"]
    if plain:
        # From its own point down: higher up it would cross its number.
        line = {"color": figures.INK, "width": 1, "dash": "dot"}
        at = means.tolist()[plain[0]]
        figure.add_shape(type="line", x0=at, x1=at, y0=plain[0], y1=last + 0.6, line=line, layer="below")
    low, high = min(known), max(known)
    room = max((high - low) * 0.06, 0.0005)
    figure.update_xaxes(range=[low - room, high + room], title_text=title, tickformat="~g")
    figure.update_yaxes(range=[last + 0.6, -0.8], tickvals=places, ticktext=_labels(rows, taken), showgrid=False)
    return figures.dress(figure, height=90 + 44 * len(rows), hover="closest")


def _labels(rows: Sequence[Mapping[str, Any]], taken: Mapping[str, bool]) -> list[str]:
    names = [html.escape(row["of"]) + ("" if taken.get(row["of"], True) else " (not taken)") for row in rows]
    return [*names[:-1], f"<b>{names[-1]}</b> = ensemble"]


def members(rows: Sequence[Mapping[str, Any]], plain: float | None, title: str) -> Figure:
    """Three panels side by side, one row a member: weight, score alone, what is lost without it.

    Args:
        rows: entries of `members`.
        plain: score of the plain mean, a dotted line in the second panel.
        title: of the metric.
    """
    from plotly.subplots import make_subplots

    known = [row["lost"] is not None for row in rows]
    count = 3 if any(known) else 2
    figure = make_subplots(rows=1, cols=count, shared_yaxes=True, horizontal_spacing=0.04)
    names, places = [html.escape(row["name"]) for row in rows], [*range(len(rows))]
    weights, scores = ([float(row[key]) for row in rows] for key in ("weight", "score"))
    lost = [row["lost"] if row["lost"] is not None else np.nan for row in rows]
    bar = {"orientation": "h", "width": 0.6, "row": 1}
    figure.add_bar(
        x=weights, y=places, col=1, marker={"color": figures.MEMBERS[0]}, customdata=names,
        hovertemplate="%{customdata}: weight %{x:.3f}<extra></extra>", **bar,
    )  # fmt: skip
    figure.add_scatter(
        x=scores, y=places, row=1, col=2, mode="markers", marker={"size": 10, "color": figures.MEMBERS[0]},
        customdata=names, hovertemplate="%{customdata}: %{x:.4f} alone<extra></extra>",
    )  # fmt: skip
    if count == 3:
        figure.add_bar(
            x=lost, y=places, col=3, customdata=names, hovertemplate="%{customdata}: %{x:+.4f}<extra></extra>",
            marker={"color": [figures.MEMBERS[1] if value < 0 else figures.MEMBERS[0] for value in lost]}, **bar,
        )  # fmt: skip
        _mark(figure, 0, "solid", col=3)
        figure.update_xaxes(title_text="lost without it", row=1, col=3, tickformat="~g", nticks=5)
    if plain is not None:
        _mark(figure, plain, "dot", col=2)
    span = [*scores, *([] if plain is None else [plain])]
    room = max((max(span) - min(span)) * 0.12, 0.0005)
    figure.update_xaxes(title_text="weight", range=[0, max(weights) * 1.06], row=1, col=1, tickformat="~g", nticks=6)
    figure.update_xaxes(
        title_text=f"{title} alone", range=[min(span) - room, max(span) + room], row=1, col=2, tickformat="~g", nticks=5
    )
    figure.update_xaxes(side="top")
    figure.update_yaxes(range=[len(rows) - 0.4, -0.6], showgrid=False, tickvals=places)
    texts = [html.escape(_format.short(row["name"])) for row in rows]
    figure.update_yaxes(ticktext=texts, row=1, col=1)
    return figures.dress(figure, height=90 + 28 * len(rows), hover="closest")


def _mark(figure: Figure, x: float, dash: str, col: int) -> None:
    """A line from top to bottom of one panel."""
    line = {"color": figures.INK, "width": 1, "dash": dash}
    figure.add_shape(type="line", x0=x, x1=x, y0=0, y1=1, yref="y domain", line=line, row=1, col=col)


def weights(classes: Sequence[str], names: Sequence[str], rows: Sequence[Sequence[float]]) -> Figure:
    """Share of each member (column) in each class (row)."""
    import plotly.graph_objects as go

    values = np.array(rows, float).round(4)
    words = [[f"{html.escape(row)}<br>{html.escape(name)}" for name in names] for row in classes]
    # Places instead of names on the axes: two names may be cut to the same text, and would then share a place.
    heat = go.Heatmap(
        z=values.tolist(), x=[*range(len(names))], y=[*range(len(classes))], text=words,
        zmin=0, zmax=float(values.max()),
        colorscale=[list(stop) for stop in _SHARES], xgap=2, ygap=2, hovertemplate="%{text}: %{z:.3f}<extra></extra>",
        texttemplate="%{z:.2f}" if len(names) <= _WRITTEN else None,
        colorbar={"title": {"text": "weight<br> ", "side": "top"}, "thickness": 10, "outlinewidth": 0,
                  "tickformat": "~g"},
    )  # fmt: skip
    figure = go.Figure(heat)
    for axis, texts, side in ((figure.update_xaxes, names, "top"), (figure.update_yaxes, classes, "left")):
        shown = [html.escape(_format.short(text)) for text in texts]
        axis(tickvals=[*range(len(texts))], ticktext=shown, showgrid=False, side=side)
    figure.update_yaxes(autorange="reversed")
    figures.dress(figure, height=150 + 21 * len(classes), hover="closest")
    upright(figure, names)
    return figure


def upright(figure: Figure, names: Sequence[str]) -> None:
    """Turn the names above a heat map so that none is left out: slanting ones run over the edge when many."""
    many = len(names) > _SLANTING
    figure.update_xaxes(tickangle=-90 if many else -40 if len(names) > 4 else 0)
    if many:
        figure.update_layout(height=figure.layout.height + 60)  # type: ignore[union-attr]


def curves(
    thresholds: Sequence[float], lines: Mapping[str, Sequence[float]], chosen: Mapping[str, float], title: str
) -> Figure:
    """Score of each class against the threshold, with the chosen one as a point.

    With more classes than colours, the lines show what a class is short of its own best, those that lose most at 0.5
    are coloured and the others are grey.
    """
    import plotly.graph_objects as go

    at = np.array(thresholds, float)
    heights = {name: np.array(line, float) for name, line in lines.items()}
    many = len(heights) > COLOURED
    if many:
        heights = {name: line - line.max() for name, line in heights.items()}
    short = {name: float(np.interp(0.5, at, line)) for name, line in heights.items()}
    bright = sorted(heights, key=lambda name: short[name])[:COLOURED] if many else list(heights)
    figure = go.Figure()
    for name in [*(name for name in heights if name not in bright), *reversed(bright)]:
        rank = bright.index(name) if name in bright else None
        colour = _PALE if rank is None else figures.MEMBERS[rank]
        line, point = heights[name], chosen[name]
        said, form = html.escape(name), "+.4f" if many else ".4f"
        common = {"name": said, "legendgroup": said}
        figure.add_scatter(
            x=at.round(4).tolist(), y=line.round(5).tolist(), mode="lines",
            showlegend=rank is not None, legendrank=rank,
            line={"color": colour, "width": 1.2 if rank is None else 2.2},
            hovertemplate=f"{said} at %{{x:.2f}}: %{{y:{form}}}<extra></extra>", **common,
        )  # fmt: skip
        figure.add_scatter(
            x=[point], y=[float(np.interp(point, at, line))], mode="markers", showlegend=False,
            marker={"size": 6 if rank is None else 9, "color": _GREY if rank is None else colour},
            hovertemplate=f"{said}: %{{x:.2f}} chosen, %{{y:{form}}}<extra></extra>", **common,
        )  # fmt: skip
    figure.add_vline(x=0.5, line={"color": figures.INK, "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text="threshold", tickformat="~g")
    said = f"{title}, less the best of the class" if many else title
    figure.update_yaxes(title_text=said, range=_span(at, heights, chosen), tickformat="~g")
    return figures.dress(figure, height=480 if many else 380, hover="closest", legend=True)


def _span(at: np.ndarray, heights: Mapping[str, np.ndarray], chosen: Mapping[str, float]) -> list[float]:
    """Limits that hold the middle of every curve, and every chosen point."""
    inside = (at >= _MIDDLE[0]) & (at <= _MIDDLE[1])
    lows = [float(line[inside].min()) for line in heights.values() if inside.any()]
    points = [float(np.interp(chosen[name], at, line)) for name, line in heights.items()]
    low, high = min(lows + points), max(float(line.max()) for line in heights.values())
    room = max((high - low) * 0.06, 0.0005)
    return [low - room, high + room]


def some(count: int) -> list[int]:
    """Places of at most 17 columns out of `count`, the first, the last and the middle among them."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, _COLUMNS)).tolist()})
