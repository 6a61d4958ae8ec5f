"""Charts of a study as Plotly figures, from the plain data of its report."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phalanx.view import figures

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

DONE, EARLY, FAILED = "#0072b2", "#e69f00", "#d55e00"
_BAND = "rgba(128,138,150,0.18)"
# More slices than this in a row are too narrow to read.
_COLUMNS = 3


def history(report: dict[str, Any]) -> Figure:
    """Dice of every trial in its order, the best so far as a line, and what the unchanged configuration reaches."""
    import plotly.graph_objects as go

    figure = go.Figure()
    done = sorted(_done(report), key=lambda trial: trial["number"])
    best, line = -1.0, []
    for trial in done:
        best = max(best, trial["dice"])
        line.append(best)
    noise = report["noise"]
    if noise["mean"] is not None:
        spread = noise["deviation"] or 0.0
        figure.add_hrect(noise["mean"] - spread, noise["mean"] + spread, fillcolor=_BAND, line_width=0)
        figure.add_hline(noise["mean"], line={"color": figures.INK, "dash": "dot", "width": 1.5})
    early = [trial for trial in report["trials"] if trial["state"] == "ended early" and trial["curve"]]
    figure.add_scatter(
        x=[trial["number"] for trial in early], y=[trial["curve"][-1][1] for trial in early], mode="markers",
        name="ended early, last value", marker={"color": EARLY, "symbol": "x", "size": 7},
        hovertemplate="trial %{x}: %{y:.4f} when it was ended<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=[trial["number"] for trial in done], y=line, mode="lines", name="best so far",
        line={"color": DONE, "shape": "hv", "width": 1.5}, hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=[trial["number"] for trial in done], y=[trial["dice"] for trial in done], mode="markers", name="done",
        marker={"color": DONE, "size": 8}, customdata=[_said(trial) for trial in done],
        hovertemplate="trial %{x}: %{y:.4f}<br>%{customdata}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title_text="trial")
    figure.update_yaxes(title_text="validation Dice", tickformat="~g")
    return figures.dress(figure, height=380, hover="closest", legend=True)


def importance(shares: dict[str, float]) -> Figure:
    """Share of the spread of the Dice that each key explains."""
    import plotly.graph_objects as go

    names = sorted(shares, key=lambda name: shares[name])
    bars = go.Bar(
        x=[shares[name] for name in names], y=[html.escape(name) for name in names], orientation="h",
        marker={"color": DONE}, hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )  # fmt: skip
    figure = go.Figure(bars)
    figure.update_xaxes(tickformat=".0%", rangemode="tozero")
    return figures.dress(figure, height=90 + 26 * len(names), hover="closest")


def parallel(report: dict[str, Any]) -> Figure:
    """Each trial as a line through its values, coloured by its Dice; keys that not all trials have are left out.

    Plain lines, not Plotly's own parallel coordinates: those need WebGL, which a page that opens anywhere may not have.
    """
    import plotly.graph_objects as go
    from plotly.colors import sample_colorscale

    done = sorted(_done(report), key=lambda trial: trial["dice"])
    axes = [axis for axis in report["axes"] if all(axis["key"] in trial["labels"] for trial in done)]
    dice = [trial["dice"] for trial in done]
    columns = [_column({"key": "Dice", "choices": [], "log": False}, dice)]
    columns += [_column(axis, [trial["labels"][axis["key"]] for trial in done]) for axis in axes]
    figure = go.Figure()
    for trial, share, *places in zip(done, columns[0].places, *(column.places for column in columns), strict=True):
        figure.add_scatter(
            x=[*range(len(columns))], y=places, mode="lines", showlegend=False, name=f"trial {trial['number']}",
            line={"color": sample_colorscale([list(stop) for stop in figures.SCALE], share)[0], "width": 1.8},
            hovertemplate=f"trial {trial['number']}: {trial['dice']:.4f}<br>{_said(trial)}<extra></extra>",
        )  # fmt: skip
    for place, column in enumerate(columns):
        figure.add_vline(place, line={"color": figures.INK, "width": 1})
        for height, text in column.ticks:
            figure.add_annotation(
                x=place, y=height, text=text, showarrow=False, xanchor="left", xshift=4, font={"size": 11}
            )
    names = [column.name for column in columns]
    figure.update_xaxes(tickvals=[*range(len(names))], ticktext=names, range=[-0.1, len(names) - 0.5], showgrid=False)
    figure.update_yaxes(visible=False, range=[-0.06, 1.06])
    return figures.dress(figure, height=430, hover="closest")


def slices(report: dict[str, Any]) -> Figure:
    """Dice over each key alone; the dotted line is what the unchanged configuration reaches."""
    from plotly.subplots import make_subplots

    axes = [axis for axis in report["axes"] if any(axis["key"] in trial["labels"] for trial in _done(report))]
    rows = -(-len(axes) // _COLUMNS)
    figure = make_subplots(
        rows=rows, cols=min(_COLUMNS, len(axes)), shared_yaxes=True, horizontal_spacing=0.04,
        vertical_spacing=min(0.12, 0.3 / rows),
    )  # fmt: skip
    for place, axis in enumerate(axes):
        row, column = place // _COLUMNS + 1, place % _COLUMNS + 1
        trials = [trial for trial in _done(report) if axis["key"] in trial["labels"]]
        values = [trial["labels"][axis["key"]] for trial in trials]
        figure.add_scatter(
            x=[html.escape(str(value)) for value in values] if axis["choices"] else values,
            y=[trial["dice"] for trial in trials], mode="markers", row=row, col=column,
            marker={
                "color": [trial["number"] for trial in trials], "colorscale": [[0, "#bcd7ea"], [1, DONE]], "size": 7,
                "line": {"width": 0.5, "color": figures.INK},
            },
            customdata=[trial["number"] for trial in trials],
            hovertemplate="trial %{customdata}: %{x}, %{y:.4f}<extra></extra>",
        )  # fmt: skip
        kind = "category" if axis["choices"] else "log" if axis["log"] else "linear"
        figure.update_xaxes(title_text=html.escape(axis["key"]), row=row, col=column, nticks=6, type=kind)
        if report["noise"]["mean"] is not None:
            line = {"color": figures.INK, "dash": "dot", "width": 1.2}
            figure.add_hline(report["noise"]["mean"], line=line, row=row, col=column)  # type: ignore[arg-type]
    return figures.dress(figure, height=60 + 260 * rows, hover="closest")


def curves(report: dict[str, Any]) -> Figure:
    """Validation Dice of each trial while it was trained."""
    import plotly.graph_objects as go

    figure = go.Figure()
    colours = {"done": DONE, "ended early": EARLY, "failed": FAILED}
    seen: set[str] = set()
    for trial in report["trials"]:
        if trial["curve"]:
            x, y = zip(*trial["curve"], strict=True)
            figure.add_scatter(
                x=x, y=y, mode="lines+markers", name=trial["state"], legendgroup=trial["state"],
                showlegend=trial["state"] not in seen, opacity=0.75, marker={"size": 4},
                line={"color": colours[trial["state"]], "width": 1.3},
                hovertemplate=f"trial {trial['number']}: %{{y:.4f}}<extra></extra>",
            )  # fmt: skip
            seen.add(trial["state"])
    figure.update_xaxes(title_text="validation", dtick=1)
    figure.update_yaxes(title_text="validation Dice, mean over the folds so far", tickformat="~g")
    return figures.dress(figure, height=380, hover="closest", legend=True)


def front(report: dict[str, Any]) -> Figure:
    """Dice against seconds; trials on the front are beaten by no other in both."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for name, colour, chosen in (("on the front", FAILED, True), ("others", DONE, False)):
        trials = [trial for trial in _done(report) if (trial["number"] in report["front"]) == chosen]
        figure.add_scatter(
            x=[trial["seconds"] for trial in trials], y=[trial["dice"] for trial in trials], mode="markers", name=name,
            marker={"color": colour, "size": 8}, customdata=[f"trial {trial['number']}" for trial in trials],
            hovertemplate="%{customdata}: %{y:.4f} in %{x:.0f} s<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title_text="seconds of training", rangemode="tozero")
    figure.update_yaxes(title_text="validation Dice", tickformat="~g")
    return figures.dress(figure, height=380, hover="closest", legend=True)


def _done(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [trial for trial in report["trials"] if trial["state"] == "done"]


def _said(trial: dict[str, Any]) -> str:
    return "<br>".join(html.escape(f"{key} {value}") for key, value in trial["labels"].items())


@dataclass(frozen=True)
class _Column:
    """An axis of the parallel coordinates: where its values lie, 0 to 1, and what is written at which height."""

    name: str
    places: list[float]
    ticks: list[tuple[float, str]]


def _column(axis: dict[str, Any], values: Sequence[Any]) -> _Column:
    name = html.escape(axis["key"].rpartition(".")[2])
    if axis["choices"]:
        last = max(len(axis["choices"]) - 1, 1)
        heights = {label: place / last for place, label in enumerate(axis["choices"])}
        ticks = [(height, html.escape(label)) for label, height in heights.items()]
        return _Column(name, [heights[str(value)] for value in values], ticks)
    scaled = [math.log10(value) if axis["log"] else float(value) for value in values]
    low, high = min(scaled), max(scaled)
    places = [(value - low) / (high - low) if high > low else 0.5 for value in scaled]
    middle = 10 ** ((low + high) / 2) if axis["log"] else (low + high) / 2
    ends = [(0.0, min(values)), (0.5, middle), (1.0, max(values))] if high > low else [(0.5, values[0])]
    return _Column(name, places, [(height, f"{value:.3g}") for height, value in ends])
