"""Heat maps of agreement: files against files, and classes against files."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from phalanx.view import _format, figures

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Cells that still have room for a number.
_WRITTEN = 14
# The colours never span less: files that agree to the third decimal are alike.
_SPAN = 0.01


def matrix(names: Sequence[str], values: np.ndarray) -> Figure:
    """Dice of every pair of files, float64 `(files, files)`; the diagonal stays empty."""
    shown = np.where(np.eye(len(names), dtype=bool), np.nan, values)
    height = 150 + max(220, 44 * len(names) if len(names) <= _WRITTEN else 18 * len(names))
    return _heat(shown, names, names, height)


def by_class(classes: Sequence[str], names: Sequence[str], values: np.ndarray) -> Figure:
    """Mean Dice of each file with the others, float64 `(classes, files)`; the class most in doubt stands on top."""
    order: list[int] = np.argsort(values.mean(1), kind="stable").tolist()
    return _heat(values[order], [classes[place] for place in order], names, 150 + 21 * len(classes))


def _heat(values: np.ndarray, rows: Sequence[str], columns: Sequence[str], height: int) -> Figure:
    """Numbers as colours over the range they have: among good files 0.96 and 0.97 must not look alike."""
    import plotly.graph_objects as go

    known = values[np.isfinite(values)]
    high = float(known.max())
    # Places instead of names on the axes: two names may be cut to the same text, and would then share a place.
    words = np.array([[f"{html.escape(row)}<br>{html.escape(column)}" for column in columns] for row in rows])
    figure = go.Figure(
        go.Heatmap(
            z=values.round(4).tolist(),
            x=[*range(len(columns))],
            y=[*range(len(rows))],
            text=words.tolist(),
            zmin=min(float(known.min()), high - _SPAN),
            zmax=high,
            colorscale=[list(stop) for stop in figures.SCALE],
            xgap=2,
            ygap=2,
            hoverongaps=False,
            hovertemplate="%{text}: %{z:.4f}<extra></extra>",
            texttemplate="%{z:.4f}" if len(columns) <= _WRITTEN else None,
            colorbar={"title": {"text": "Dice<br> ", "side": "top"}, "thickness": 10, "outlinewidth": 0,
                      "tickformat": "~g"},
        )
    )  # fmt: skip
    for axis, names, side in ((figure.update_xaxes, columns, "top"), (figure.update_yaxes, rows, "left")):
        texts = [html.escape(_format.short(name)) for name in names]
        axis(tickvals=[*range(len(names))], ticktext=texts, showgrid=False, side=side)
    figure.update_xaxes(tickangle=-40 if len(columns) > 4 else 0)
    figure.update_yaxes(autorange="reversed")
    return figures.dress(figure, height=height, hover="closest")
