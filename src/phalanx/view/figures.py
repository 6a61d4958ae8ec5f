"""Charts as Plotly figures, from plain data: the report, the web app and notebooks show the same ones.

Figures have no background and no fixed width, so that they sit on any page. Text in Plotly is a small HTML of its own,
therefore every name that comes from a file is escaped here.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from phalanx.view import _format

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

# Okabe & Ito 2008, Color Universal Design, without its black and yellow, which vanish on a dark and a light page.
MEMBERS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
# ColorBrewer RdYlBu, legible with red-green blindness: what needs a look is red.
SCALE = ((0.0, "#a50026"), (0.25, "#f46d43"), (0.5, "#fee090"), (0.75, "#91bfdb"), (1.0, "#3b6fb0"))
INK, GRID = "#5c6675", "rgba(128,138,150,0.22)"
# A series of a chart 1000 px wide shows no more points than this, and a report must stay small.
_POINTS = 300
_PANELS = (
    ("val_dice", "validation Dice", ".4f"),
    ("train_loss", "training loss", ".4g"),
    ("lr", "learning rate", ".3g"),
)
# Above this many circles a browser stutters; the outer tenth of the cases is shown instead of all.
_CIRCLES = 3000
_ROW = 21
# More rows than this have no room for a name each.
_LABELLED_ROWS = 60


def curves(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Validation Dice, training loss and learning rate over the optimiser's steps.

    The Dice axis is logarithmic in what is missing to 1, so that 0.96 and 0.97 stand apart while the first epochs are
    still in the picture.

    Args:
        tables: one a training run, "unet fold 0" -> columns epoch, step, train_loss, val_dice, lr; NaN where a row
            says nothing. What stands before "fold" shares a colour, the folds differ in dash.
    """
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, row_heights=[0.45, 0.35, 0.2], vertical_spacing=0.05)
    members = list(dict.fromkeys(_member(name)[0] for name in tables))
    for name, table in tables.items():
        member, fold = _member(name)
        place = members.index(member)
        colour = MEMBERS[place % len(MEMBERS)]
        line = {"color": colour, "width": 1.8, "dash": DASHES[fold % len(DASHES)]}
        first = name == next(key for key in tables if _member(key)[0] == member)
        title = html.escape(name)
        common = {"col": 1, "legendgroup": member, "name": html.escape(member)}
        for row, (column, _, form) in enumerate(_PANELS, 1):
            x, y = _series(table, column)
            dice = column == "val_dice"
            figure.add_scatter(
                x=x, y=_missing(y) if dice else y, row=row, mode="lines+markers" if len(x) <= 30 else "lines",
                line=line, marker={"size": 5}, showlegend=first and row == 1,
                customdata=[f"{value:.4f}" for value in y.tolist()] if dice else None,
                hovertemplate=f"{title}: {'%{customdata}' if dice else f'%{{y:{form}}}'}<extra></extra>", **common,
            )  # fmt: skip
        x, y = _series(table, "val_dice", limit=len(table))
        if len(y):
            top = int(np.argmax(y))
            star = {"size": 12, "symbol": "star", "color": colour, "line": {"width": 1, "color": "#ffffff"}}
            figure.add_scatter(
                x=x[[top]], y=_missing(y[[top]]), row=1, mode="markers", marker=star, showlegend=False,
                hovertemplate=f"{title}: best, {y[top]:.4f}<extra></extra>", **common,
            )  # fmt: skip
    for row, (_, title, _) in enumerate(_PANELS, 1):
        figure.update_yaxes(title_text=title, row=row, col=1, tickformat="~g", nticks=6)
    losses = np.concatenate([_series(table, "train_loss")[1] for table in tables.values()] or [[]])
    if len(losses) and losses.min() > 0:
        # Ticks at 1, 2 and 5 crowd when there are many decades.
        figure.update_yaxes(type="log", dtick="D2" if losses.max() < 100 * losses.min() else 1, row=2, col=1)
    ticks = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
    figure.update_yaxes(
        type="log", autorange="reversed", tickvals=[1 - tick for tick in ticks], ticktext=ticks, row=1, col=1
    )
    figure.update_xaxes(title_text="optimiser step" if _in_steps(tables) else "epoch", row=3, col=1)
    return dress(figure, height=640, hover="closest", legend=True)


def per_class(
    scores: Mapping[str, float],
    intervals: Mapping[str, Sequence[float]] | None = None,
    table: pd.DataFrame | None = None,
    colours: Mapping[str, str] | None = None,
    title: str = "Dice",
) -> Figure:
    """Score of every class, weakest first: the mean, its interval as a whisker, the middle half of the cases as a bar.

    The axis starts near the weakest class instead of at 0, where 29 good scores would look alike; cases below its start
    are drawn as triangles on the edge.

    Args:
        scores: class name -> mean.
        intervals: class name -> (low, high), for some or all classes.
        table: case x class, NaN allowed; adds the bars and a point for each case.
        colours: class name -> `#rrggbb`.
    """
    import plotly.graph_objects as go

    names = sorted(scores, key=lambda name: (not np.isfinite(scores[name]), scores[name], name))
    labels = [html.escape(name) for name in names]
    means = np.array([scores[name] for name in names], float)
    bounds = [tuple((intervals or {}).get(name) or (mean, mean)) for name, mean in zip(names, means, strict=True)]
    spread = np.empty((0, len(names))) if table is None else table.reindex(columns=names).to_numpy(float)
    core = np.concatenate([means, np.ravel(bounds), _quantiles(spread, 25)])
    # A class that is lost in one case of twenty would take the axis to 0: what lies far below the rest is a triangle.
    least = 2 * np.min(core, initial=1.0, where=np.isfinite(core)) - 1
    low, high = score_range(np.concatenate([core, np.maximum(_quantiles(spread, 5), least)]))
    paint = [(colours or {}).get(name, MEMBERS[0]) for name in names]
    figure = go.Figure()
    if len(spread):
        ids = [html.escape(str(case)) for case in table.index]  # type: ignore[union-attr]
        _add_cases(figure, spread, low, paint, [labels, ids])
    figure.add_scatter(
        x=means, y=np.arange(len(names)), mode="markers", name="mean",
        marker={"size": 9, "color": paint, "line": {"width": 1.5, "color": INK}},
        error_x={
            "type": "data", "symmetric": False, "color": INK, "thickness": 1.6, "width": 4,
            "array": np.array([bound[1] for bound in bounds]) - means,
            "arrayminus": means - np.array([bound[0] for bound in bounds]),
            "visible": bool(intervals),
        },
        customdata=[f"{name}: {_format.number(mean)} {_format.interval(bound) if intervals else ''}".rstrip()
                    for name, mean, bound in zip(labels, means.tolist(), bounds, strict=True)],
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    # Half a triangle's room on the left, so that it does not lie on the names.
    figure.update_xaxes(range=[low - (high - low) * 0.012, high], title_text=title, side="top", tickformat="~g")
    figure.update_yaxes(range=[len(names) - 0.4, -0.6], tickvals=[*range(len(names))], ticktext=labels, showgrid=False)
    return dress(figure, height=110 + _ROW * len(names), hover="closest")


def case_heatmap(table: pd.DataFrame, title: str = "Dice") -> Figure:
    """Score of every case (row, worst first) and class (column); cells without a score stay empty.

    The colours span the range that holds all but the lowest 2 % of the scores, so that one lost bone does not make all
    others look alike.
    """
    import plotly.graph_objects as go

    rows = table.loc[table.mean(axis=1).sort_values(kind="stable").index]
    scores = rows.to_numpy(float)
    low, _ = score_range(_quantiles(scores.reshape(-1, 1), 2))
    ids = [html.escape(str(case)) for case in rows.index]
    few = len(rows) <= _LABELLED_ROWS
    ranks = range(len(rows)) if few else [0, *range(49, len(rows), 50)]
    heat = go.Heatmap(
        z=scores.round(4).astype(np.float32),
        x=[html.escape(str(name)) for name in rows.columns],
        y=ids,
        zmin=low,
        zmax=1.0,
        colorscale=[list(stop) for stop in SCALE],
        xgap=1,
        ygap=1 if few else 0,
        hoverongaps=False,
        hovertemplate="%{y}<br>%{x}: %{z:.4f}<extra></extra>",
        colorbar={
            "title": {"text": f"{title}<br> ", "side": "top"},
            "thickness": 10,
            "outlinewidth": 0,
            "tickformat": "~g",
        },
    )
    figure = go.Figure(heat)
    figure.update_xaxes(type="category", side="top", tickangle=-55 if scores.shape[1] > 8 else 0, showgrid=False)
    figure.update_yaxes(
        type="category",
        autorange="reversed",
        showgrid=False,
        tickvals=[ids[rank] for rank in ranks],
        ticktext=[html.escape(_format.short(str(rows.index[rank]))) if few else f"{rank + 1}." for rank in ranks],
        title_text=None if few else "cases, worst first",
    )
    return dress(figure, height=170 + (18 * len(rows) if few else min(900, max(600, 3 * len(rows)))), hover="closest")


def distribution(values: Sequence[float], title: str = "mean Dice of a case", noun: str = "cases") -> Figure:
    """Histogram of one number a case, with its mean and its median; missing values are left out."""
    import plotly.graph_objects as go

    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    counts, edges = np.histogram(known, bins=min(40, max(8, round(2 * len(known) ** 0.5))))
    figure = go.Figure(
        go.Bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts,
            width=np.diff(edges) * 0.94,
            marker={"color": MEMBERS[0], "opacity": 0.75},
            customdata=[f"{_format.number(a)} to {_format.number(b)}" for a, b in pairwise(edges.tolist())],
            hovertemplate=f"%{{customdata}}: %{{y}} {html.escape(noun)}<extra></extra>",
        )
    )
    if len(known):
        marks = sorted([(float(known.mean()), "mean", "solid"), (float(np.median(known)), "median", "dot")])
        # The lower of the two is written to the left of its line, the other to the right: they are often close.
        for (value, name, dash), side in zip(marks, ("right", "left"), strict=True):
            figure.add_vline(x=value, line={"color": INK, "width": 1.5, "dash": dash})
            note = f" {name} {_format.number(value)} "
            place = {"x": value, "y": 1, "yref": "paper", "xanchor": side, "yanchor": "bottom"}
            figure.add_annotation(text=note, showarrow=False, **place)
    figure.update_xaxes(title_text=html.escape(title), tickformat="~g")
    figure.update_yaxes(title_text=html.escape(noun))
    return dress(figure, height=300, hover="closest")


def _add_cases(figure: Figure, spread: np.ndarray, low: float, paint: list[str], words: list[list[str]]) -> None:
    """Bars of the middle half of the cases, and the cases themselves, behind the means of `per_class`."""
    labels, ids = words
    places = np.flatnonzero(np.isfinite(spread).any(0))
    quarter, three = _quantiles(spread[:, places], 25), _quantiles(spread[:, places], 75)
    figure.add_bar(
        x=three - np.maximum(quarter, low),
        base=np.maximum(quarter, low),
        y=places,
        orientation="h",
        width=0.62,
        name="middle half of the cases",
        marker={"color": [paint[place] for place in places], "opacity": 0.28},
        hoverinfo="skip",
    )
    rows, columns = np.nonzero(np.isfinite(spread))
    if len(rows) > _CIRCLES:
        outer = (spread < _quantiles(spread, 5)) | (spread > _quantiles(spread, 95))
        rows, columns = np.nonzero(outer & np.isfinite(spread))
    scores = spread[rows, columns]
    below = scores < low
    for part, symbol, size, name in ((~below, "circle", 4, "cases"), (below, "triangle-left", 8, "below the axis")):
        # Golden-ratio steps spread the circles of a class evenly over its row, the same way each time.
        jitter = (rows[part] * 0.618034 % 1 - 0.5) * 0.5
        figure.add_scatter(
            x=np.maximum(scores[part], low).round(4),
            y=(columns[part] + jitter).round(3),
            mode="markers",
            name=name,
            marker={"size": size, "symbol": symbol, "opacity": 0.5 if name == "cases" else 0.9,
                    "color": [paint[column] for column in columns[part]]},
            customdata=[f"{labels[c]}: {_format.number(float(spread[r, c]))}<br>{ids[r]}"
                        for r, c in zip(rows[part], columns[part], strict=True)],
            hovertemplate="%{customdata}<extra></extra>",
            cliponaxis=False,
        )  # fmt: skip


def dress(figure: Figure, height: int, hover: str = "x unified", legend: bool = False) -> Figure:
    """One look for all charts: no background, quiet lines, the page's own font."""
    figure.update_layout(
        template="none",
        height=height,
        autosize=True,
        hovermode=hover,
        showlegend=legend,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        margin={"l": 8, "r": 12, "t": 28, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 12, "color": INK},
        barmode="overlay",
        dragmode="zoom",
    )
    lines: dict[str, Any] = {"gridcolor": GRID, "zeroline": False, "automargin": True, "linecolor": GRID, "ticks": ""}
    figure.update_xaxes(**lines, title_standoff=8)
    figure.update_yaxes(**lines, title_standoff=10)
    return figure


def _member(name: str) -> tuple[str, int]:
    """("unet", 3) of "unet fold 3"."""
    found = re.fullmatch(r"(.*?)[ _/-]*fold[ _]*(\d+)", name)
    return (found[1], int(found[2])) if found and found[1] else (name, 0)


def _in_steps(tables: Mapping[str, pd.DataFrame]) -> bool:
    return all("step" in table and table["step"].notna().any() for table in tables.values())


def _series(table: pd.DataFrame, column: str, limit: int = _POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Places and heights of one curve without its gaps; a long one as means of equal stretches."""
    if column not in table:
        return np.empty(0), np.empty(0)
    axis = "step" if _in_steps({"": table}) else "epoch"
    rows = table[[axis, column]].to_numpy(float)
    x, y = rows[np.isfinite(rows).all(1)].T
    if len(x) > limit:
        cuts = np.linspace(0, len(x), limit + 1).astype(int)
        x, y = (np.add.reduceat(line, cuts[:-1]) / np.diff(cuts) for line in (x, y))
    # Plotly writes arrays as base64 of their bytes: four of them tell steps up to 16 million apart.
    return x.astype(np.float32), y.astype(np.float32)


def _missing(dice: np.ndarray) -> np.ndarray:
    """What is missing to a Dice of 1, kept off zero, which a logarithmic axis cannot show."""
    return np.clip(1 - dice, 1e-4, 1)


def _quantiles(spread: np.ndarray, percent: float) -> np.ndarray:
    """Percentile of every column, NaN where a column holds nothing."""
    known = np.isfinite(spread).any(0) if len(spread) else np.zeros(spread.shape[1], bool)
    found = np.full(spread.shape[1], np.nan)
    if known.any():
        found[known] = np.nanpercentile(spread[:, known], percent, axis=0)
    return found


def score_range(values: np.ndarray) -> tuple[float, float]:
    """Axis limits for scores up to 1: from a round number below the lowest of `values`."""
    known = values[np.isfinite(values)]
    low = min(float(known.min()), 0.99) if len(known) else 0.0
    step = 0.01 if low > 0.9 else 0.05 if low > 0.5 else 0.1
    low = max(0.0, float(np.floor(low / step - 0.25) * step))
    return round(low, 2), 1 + (1 - low) * 0.02
