"""Charts that only the viewer has."""

from __future__ import annotations

import html

import numpy as np
import plotly.graph_objects as go

from phalanx.view import _format, figures
from phalanx.view._app_scores import Scores
from phalanx.view.gallery import Gallery

_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x")


def case(gallery: Gallery, scores: Scores, place: int) -> go.Figure:
    """Dice of every class of one case, weakest of the first file on top, a sign a file."""
    dice = scores.dice[:, place].astype(float)
    order: list[int] = np.argsort(np.nan_to_num(dice[0], nan=2.0), kind="stable").tolist()
    names = [html.escape(gallery.classes[label]) for label in order]
    low, high = figures.score_range(dice.ravel())
    figure = go.Figure()
    for at, member in enumerate(gallery.members):
        values = dice[at, order]
        said = [f"{html.escape(member.name)}, {name}: {_format.number(value)}"
                for name, value in zip(names, values.tolist(), strict=True)]  # fmt: skip
        # What lies below the axis stays on its edge, and says how far below it is.
        figure.add_scatter(
            x=np.maximum(values, low).tolist(), y=[*range(len(order))], mode="markers", name=html.escape(member.name),
            marker={"size": 10, "opacity": 0.85, "symbol": _SYMBOLS[at % len(_SYMBOLS)],
                    "color": figures.MEMBERS[at % len(figures.MEMBERS)]},
            customdata=said, hovertemplate="%{customdata}<extra></extra>", cliponaxis=False,
        )  # fmt: skip
    figure.update_xaxes(range=[low - (high - low) * 0.012, high], title_text="Dice", side="top", tickformat="~g")
    figure.update_yaxes(range=[len(order) - 0.4, -0.6], tickvals=[*range(len(order))], ticktext=names)
    dressed = figures.dress(figure, height=130 + 21 * len(order), hover="closest", legend=len(gallery.members) > 1)
    return dressed.update_layout(legend={"y": -0.02, "yanchor": "top"})
