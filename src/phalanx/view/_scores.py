"""Scores as tables: which entry of `scores.json` is the headline, all of them, and class by class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from phalanx.view import _format, _html
from phalanx.view._html import Cell, escape

if TYPE_CHECKING:
    import pandas as pd

Entry = Mapping[str, Any]


def main(scores: Sequence[Entry]) -> Entry | None:
    """The number that matters: out-of-fold Dice, or what comes nearest to it."""

    def rank(entry: Entry) -> tuple[bool, bool]:
        return entry.get("metric") != "dice", not out_of_fold(entry)

    return min(scores, key=rank, default=None)


def out_of_fold(entry: Entry) -> bool:
    """True for the scores of the whole run on cases that were held out."""
    return entry.get("of", "out-of-fold") == "out-of-fold"


def title(entry: Entry) -> str:
    """The metric's name as people write it."""
    metric = str(entry.get("metric", "score"))
    return {"dice": "Dice", "iou": "IoU", "hd": "HD", "hd95": "HD95"}.get(metric, metric)


def per_class(entry: Entry | None, table: pd.DataFrame) -> dict[str, float]:
    """Class name -> mean: what the entry says, or else the means of the table."""
    if entry is not None and entry.get("per_class"):
        return {str(name): math.nan if value is None else float(value) for name, value in entry["per_class"].items()}
    return {str(name): float(value) for name, value in table.mean(axis=0).items()}


def listing(scores: Sequence[Entry]) -> str:
    """Every entry on a line: what was scored, by which metric, how well."""
    rows = [
        [
            Cell.text(entry.get("of", "")),
            Cell.text(title(entry)),
            Cell.number(entry.get("mean")),
            Cell(_format.interval(entry.get("interval")) or _format.NONE, entry.get("mean", math.nan)),
            Cell.number(entry.get("cases")),
        ]
        for entry in scores
    ]
    return _html.table(("scored", "metric", "mean", "95 % interval", "cases"), rows)


def classes(scores: Sequence[Entry], table: pd.DataFrame, colours: Mapping[str, str]) -> str:
    """One line a class, weakest first: every metric of the headline's predictions, and the spread of the cases."""
    entry = main(scores) or {"metric": "dice"}
    means, intervals = per_class(entry, table), entry.get("per_class_interval") or {}
    others = [other for other in scores if other is not entry and other.get("of") == entry.get("of")]
    columns = ["class", title(entry), "missing to 1", *(["95 % interval"] if intervals else []), *map(title, others)]
    rows = []
    worst = min((score for score in means.values() if math.isfinite(score)), default=1.0)
    for name in sorted(means, key=lambda name: (math.isnan(means[name]), means[name], name)):
        known = table[name].dropna().to_numpy(float) if name in table else np.empty(0)
        rows.append(
            [
                Cell(f'<span class="name-cell">{_dot(colours.get(name))}{escape(name)}</span>', name),
                Cell.number(means[name]),
                _meter(means[name], worst),
                *([Cell(_format.interval(intervals.get(name)) or _format.NONE, means[name])] if intervals else []),
                *(Cell.number((other.get("per_class") or {}).get(name)) for other in others),
                *(Cell.number(float(np.percentile(known, part)) if len(known) else None) for part in (50, 10, 0)),
                Cell.number(len(known)),
            ]
        )
    return _html.table([*columns, "median", "10th percentile", "lowest", "cases"], rows)


def _dot(colour: str | None) -> str:
    return f'<i style="background:{escape(colour or "#888888")}"></i>'


def _meter(score: float, worst: float) -> Cell:
    """What is missing to 1, the weakest class filling the bar: the scores themselves would give 29 bars alike."""
    share = 100 * min(1.0, max(0.0, 1 - score) / (1 - worst)) if math.isfinite(score) and worst < 1 else 0.0
    return Cell(f'<span class="meter"><b style="width:{share:.1f}%"></b></span>', 1 - score)
