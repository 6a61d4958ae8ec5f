"""The confusion section of a report: which class took the pixels that another lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phalanx.view import _format, _html, run_figures
from phalanx.view._html import Cell, escape

if TYPE_CHECKING:
    import pandas as pd

NOTE = (
    "A pixel is confused when its class missed it and another class took it that has no right to it; pixels that two "
    "classes share by right do not count. Rows are true classes, columns those that took."
)
_PAIRS = 15


def section(table: pd.DataFrame | None) -> str:
    """HTML of the section; empty when nothing was confused.

    Args:
        table: true class x (classes, `nobody`, `missed`), pixels; see `metrics/_confusion.py`.
    """
    if table is None or not len(table):
        return ""
    counts = table.to_numpy(np.int64)
    classes, names = len(counts), [str(name) for name in table.index]
    taken, missed, nobody = counts[:, :classes].copy(), counts[:, -1], counts[:, -2]
    own = taken.diagonal() + missed
    np.fill_diagonal(taken, 0)
    if not missed.sum():
        return "<p>No pixel was missed.</p>"
    share = 100 * taken / np.maximum(own, 1)[:, None]
    left = 100 * float(nobody.sum() / missed.sum())
    said = (
        f"{_format.count(int(missed.sum()), 'pixel')} of {int(own.sum()):,} were missed. Of these {left:.1f} % were "
        f"taken by no other class, {100 - left:.1f} % by one that has no right to them."
    )
    rows = [
        [
            Cell.text(names[one]),
            Cell.text(names[two]),
            Cell(f"{share[one, two]:.3g} %", float(share[one, two])),
            Cell(f"{100 * taken[one, two] / missed[one]:.1f} %", float(taken[one, two] / missed[one])),
            Cell.number(int(taken[one, two])),
        ]
        for one, two in _largest(share)
    ]
    if not rows:
        return f"<p>{escape(said)}</p>"
    import pandas

    frame = pandas.DataFrame(share, index=names, columns=names)
    involved = [names[place] for place in np.flatnonzero(taken.any(0) | taken.any(1))]
    figure = run_figures.confusion(frame.loc[involved, involved])
    chart = _html.chart("confusion", figure, "share of each class that another class took")
    heads = ("true class", "taken by", "of the class", "of what it missed", "pixels")
    return f"<p>{escape(said)}</p>{chart}<h3>Largest</h3>{_html.table(heads, rows)}"


def _largest(share: np.ndarray) -> list[tuple[int, int]]:
    order = np.argsort(-share, axis=None, kind="stable")[:_PAIRS]
    pairs = [divmod(int(place), share.shape[1]) for place in order]
    return [pair for pair in pairs if share[pair] > 0]
