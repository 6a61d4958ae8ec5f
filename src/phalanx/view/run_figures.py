"""Charts of a run's data and mistakes: areas of the classes, who took whose pixels, straight and bent wrists."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from phalanx.view import figures

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

STRAIGHT, BENT = figures.MEMBERS[0], figures.MEMBERS[1]
# Readable on a white and on a dark page: the largest shares stand out on both.
_LOST = ((0.0, "#a9bccb"), (0.5, "#f2b04a"), (1.0, "#d7191c"))
_ROW = 21


def areas(shares: pd.DataFrame, colours: Mapping[str, str] | None = None) -> Figure:
    """Share of the image that each class covers, largest first: median, middle half, and all but the outer 5 %.

    Args:
        shares: case x class, per cent of the image's pixels; 0 is a case without the class and is left out.
        colours: class name -> `#rrggbb`.
    """
    import plotly.graph_objects as go

    known = shares.to_numpy(float)
    known = np.where(known > 0, known, np.nan)
    present = np.flatnonzero(np.isfinite(known).any(0))
    known, names = known[:, present], [str(shares.columns[place]) for place in present]
    marks = np.nanpercentile(known, (2.5, 25, 50, 75, 97.5), axis=0) if names else np.empty((5, 0))
    order = np.argsort(-marks[2], kind="stable")
    marks, names = marks[:, order], [names[place] for place in order]
    labels, places = [html.escape(name) for name in names], np.arange(len(names))
    paint = [(colours or {}).get(name, figures.MEMBERS[0]) for name in names]
    said = [
        f"{label}: median {middle:.3g} %<br>middle half {low:.3g} to {high:.3g} %"
        for label, middle, low, high in zip(labels, marks[2], marks[1], marks[3], strict=True)
    ]
    figure = go.Figure()
    figure.add_bar(
        x=marks[3] - marks[1], base=marks[1], y=places, orientation="h", width=0.62, hoverinfo="skip",
        marker={"color": paint, "opacity": 0.4},
    )  # fmt: skip
    figure.add_scatter(
        x=marks[2], y=places, mode="markers", marker={"size": 9, "color": paint, "line": {"width": 1.5,
        "color": figures.INK}}, customdata=said, hovertemplate="%{customdata}<extra></extra>",
        error_x={"type": "data", "symmetric": False, "color": figures.INK, "thickness": 1.2, "width": 3,
                 "array": marks[4] - marks[2], "arrayminus": marks[2] - marks[0]},
    )  # fmt: skip
    # Bones differ twentyfold, organs a thousandfold.
    figure.update_xaxes(type="log", title_text="% of the image", side="top", tickformat="~g", dtick="D2")
    figure.update_yaxes(range=[len(names) - 0.4, -0.6], tickvals=[*places], ticktext=labels, showgrid=False)
    return figures.dress(figure, height=90 + _ROW * len(names), hover="closest")


def confusion(shares: pd.DataFrame) -> Figure:
    """Share of each class (row) that another class (column) took; colours count tenfold steps.

    Args:
        shares: true class x predicted class, per cent of the true class's pixels; 0 is left empty.
    """
    import plotly.graph_objects as go

    values = shares.to_numpy(float)
    shown = np.where(values > 0, values, np.nan)
    known = shown[np.isfinite(shown)]
    low = max(float(known.min()), float(known.max()) / 1000) if len(known) else 0.1
    high = float(known.max()) if len(known) else 1.0
    high = max(high, low * 1.001)
    ticks = [tick for power in range(-5, 3) for tick in (10.0**power, 3 * 10.0**power) if low <= tick <= high]
    if len(ticks) > 4:
        # A telephone has room for these.
        ticks = [tick for tick in ticks if f"{tick:e}".startswith("1")]
    heat = go.Heatmap(
        z=np.log10(np.maximum(shown, low)).astype(np.float32),
        x=[html.escape(str(name)) for name in shares.columns],
        y=[html.escape(str(name)) for name in shares.index],
        customdata=np.vectorize(lambda value: f"{value:.3g} %")(values),
        zmin=np.log10(low),
        zmax=np.log10(high),
        colorscale=[list(stop) for stop in _LOST],
        xgap=1,
        ygap=1,
        hoverongaps=False,
        hovertemplate="%{customdata} of %{y}<br>was taken by %{x}<extra></extra>",
        colorbar={
            "title": {"text": "% of the true class", "side": "top"},
            "orientation": "h",
            "tickangle": 0,
            "x": 0,
            "xanchor": "left",
            "y": 0,
            "yanchor": "top",
            "ypad": 16,
            "len": 0.7,
            "thickness": 10,
            "outlinewidth": 0,
            "tickvals": np.log10(ticks).tolist() if ticks else [],
            "ticktext": [f"{tick:g}" for tick in ticks],
        },
    )
    figure = go.Figure(heat)
    slanted = -55 if len(shares.columns) > 6 else 0
    figure.update_xaxes(type="category", side="top", tickangle=slanted, title_text="taken by")
    figure.update_yaxes(type="category", autorange="reversed", title_text="true class")
    return figures.dress(figure, height=230 + 19 * len(shares.index), hover="closest")


def bends(train: Mapping[str, tuple[float, float]], test: Sequence[float], limit: float) -> Figure:
    """Dice of each hand by the bend of its wrist, above how often each bend occurs.

    Args:
        train: case id -> (bend in degrees, mean Dice).
        test: bends of the test cases in degrees.
        limit: wrists bent by this many degrees or more, to either side, are bent.
    """
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.66, 0.34], vertical_spacing=0.06)
    pairs = np.array([*train.values()], float).reshape(-1, 2)
    ids = np.array([html.escape(name) for name in train], object)
    for name, part, colour in (
        ("straight", np.abs(pairs[:, 0]) < limit, STRAIGHT),
        ("bent", np.abs(pairs[:, 0]) >= limit, BENT),
    ):
        words = [
            f"{case}<br>{bend:+.0f} degrees, Dice {dice:.4f}"
            for case, (bend, dice) in zip(ids[part], pairs[part], strict=True)
        ]
        figure.add_scatter(
            x=pairs[part, 0].round(2), y=pairs[part, 1].round(4), mode="markers", name=name, row=1, col=1,
            marker={"size": 6, "color": colour, "opacity": 0.75}, customdata=words,
            hovertemplate="%{customdata}<extra></extra>",
        )  # fmt: skip
    both = np.concatenate([pairs[:, 0], np.asarray(test, float)])
    edges = np.arange(np.floor(both.min() / 5) * 5, both.max() + 5.01, 5) if len(both) else np.array([0.0, 5.0])
    for name, values, colour in (("labelled", pairs[:, 0], "#7a8896"), ("test", np.asarray(test, float), "#cc79a7")):
        if not len(values):
            continue
        counts, _ = np.histogram(values, edges)
        figure.add_bar(
            x=edges[:-1] + 2.5, y=(100 * counts / len(values)).round(2), width=4.6, name=f"{name}, {len(values)}",
            marker={"color": colour, "opacity": 0.6}, row=2, col=1,
            customdata=[f"{low:.0f} to {low + 5:.0f} degrees: {count}"
                        for low, count in zip(edges[:-1], counts.tolist(), strict=True)],
            hovertemplate=f"{name}, %{{customdata}} (%{{y:.1f}} %)<extra></extra>",
        )  # fmt: skip
    for place in (-limit, limit):
        figure.add_vline(x=place, line={"color": figures.INK, "width": 1, "dash": "dot"})
    figure.update_xaxes(range=[min(-limit, float(edges[0])) - 4, max(limit, float(edges[-1])) + 4])
    figure.update_yaxes(title_text="mean Dice of the case", row=1, col=1, tickformat="~g")
    figure.update_yaxes(title_text="% of the cases", row=2, col=1)
    figure.update_xaxes(title_text="bend of the wrist in degrees", row=2, col=1)
    return figures.dress(figure, height=520, hover="closest", legend=True)


def two_groups(
    scores: Mapping[str, tuple[float, float]], bounds: Mapping[str, Sequence[float]], names: tuple[str, str]
) -> Figure:
    """Score of every class in two groups of cases, joined by a line; the class that suffers most stands first.

    The line is dotted where the interval of the difference holds 0.

    Args:
        scores: class name -> (mean in the first group, mean in the second).
        bounds: class name -> 95 % interval of second less first.
        names: of the groups.
    """
    import plotly.graph_objects as go

    order = sorted(scores, key=lambda name: (scores[name][1] - scores[name][0], name))
    labels, places = [html.escape(name) for name in order], np.arange(len(order))
    pairs = np.array([scores[name] for name in order], float).reshape(-1, 2)
    figure = go.Figure()
    ends = np.array([bounds[name] for name in order], float).reshape(-1, 2)
    clear = (ends[:, 0] > 0) | (ends[:, 1] < 0)
    for part, dash, width in ((clear, "solid", 2.5), (~clear, "dot", 1)):
        joined = np.column_stack([pairs[part], np.full(int(part.sum()), np.nan)]).ravel()
        figure.add_scatter(
            x=joined, y=np.repeat(places[part], 3), mode="lines", hoverinfo="skip", showlegend=False,
            line={"color": figures.INK, "width": width, "dash": dash},
        )  # fmt: skip
    said = [
        f"{label}: {second - first:+.4f} [{bounds[name][0]:+.4f}, {bounds[name][1]:+.4f}]"
        for name, label, (first, second) in zip(order, labels, pairs.tolist(), strict=True)
    ]
    for column, (name, colour) in enumerate(zip(names, (STRAIGHT, BENT), strict=True)):
        figure.add_scatter(
            x=pairs[:, column].round(4), y=places, mode="markers", name=html.escape(name),
            marker={"size": 9, "color": colour}, customdata=said,
            hovertemplate=f"{html.escape(name)} %{{x:.4f}}<br>%{{customdata}}<extra></extra>",
        )  # fmt: skip
    low, high = figures.score_range(pairs.ravel())
    figure.update_xaxes(range=[low, high], title_text="Dice", side="top", tickformat="~g")
    figure.update_yaxes(range=[len(order) - 0.4, -0.6], tickvals=[*places], ticktext=labels, showgrid=False)
    dressed = figures.dress(figure, height=130 + _ROW * len(order), hover="closest", legend=True)
    return dressed.update_layout(legend={"y": 1.0, "yref": "container", "yanchor": "top"}, margin={"t": 60})
