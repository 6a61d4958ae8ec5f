"""Summary: a table of scores (case x class) as a mean with a 95 % interval.

The interval is a percentile bootstrap that draws groups (people), not images: the two hands of one person are one
observation. Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13; cluster form: Field & Welsh
2007, J. R. Statist. Soc. B 69, section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_DRAWS = 2000


def interval(table: np.ndarray, groups: Sequence[str], seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over cases, then classes, of a table `(cases, classes)`.

    Returns (mean, mean) when there is one group only.
    """
    names, member = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    per_case = table.mean(1)
    sums = np.bincount(member, per_case, len(names))
    sizes = np.bincount(member, minlength=len(names))
    if len(names) == 1:
        return float(per_case.mean()), float(per_case.mean())
    drawn = np.random.default_rng(seed).integers(0, len(names), (_DRAWS, len(names)))
    means = sums[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def scores(metric: str, table: np.ndarray, names: Sequence[str], groups: Sequence[str]) -> dict[str, Any]:
    """One entry of `scores.json`: mean, interval and per-class means of a table `(cases, classes)`."""
    per_class = {name: table[:, [index]] for index, name in enumerate(names)}
    return {
        "metric": metric,
        "mean": float(table.mean(0).mean()),
        "interval": list(interval(table, groups)),
        "per_class": {name: float(column.mean()) for name, column in per_class.items()},
        "per_class_interval": {name: list(interval(column, groups)) for name, column in per_class.items()},
        "cases": len(table),
    }
