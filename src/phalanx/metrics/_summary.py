"""Summary: a table of scores (case x class) as means with 95 % intervals.

The interval is a percentile bootstrap that draws groups (people), not images: the two hands of one person are one
observation. Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13; cluster form: Field & Welsh
2007, J. R. Statist. Soc. B 69, section 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

_DRAWS = 2000
# Draws x groups that are held at once, 32 MB; more than that is drawn anew, and alike, whenever it is needed.
_HELD = 4_000_000
# Multiplications that OpenBLAS does not share out; of a single column it shares out 9,216.
_SMALL = 250_000
# Draws x groups that are drawn at once, 0.8 MB.
_PART = 100_000


class Draws:
    """Bootstrap draws of groups, the same for whatever is measured on the same cases.

    Args:
        groups: of each case.
        seed: equal seeds give equal draws.
    """

    def __init__(self, groups: Sequence[str], seed: int = 0) -> None:
        names, self.member = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
        self.count, self._seed = len(names), seed
        self._kept: list[np.ndarray] = []

    def sums(self, table: np.ndarray) -> np.ndarray:
        """Sums of the cases of each group, float64 `(groups, columns)`, of a table `(cases, columns)`."""
        # One flat bincount; np.add.at on rows takes ten times as long.
        columns = table.shape[1]
        place = self.member[:, None] * columns + np.arange(columns)
        return np.bincount(place.ravel(), table.ravel(), self.count * columns).reshape(self.count, columns)

    def means(self, table: np.ndarray) -> np.ndarray:
        """Mean of each column in each draw, `(draws, columns)`; NaN in the table is a case without a score."""
        known = np.isfinite(table)
        sums, sizes = self.sums(np.where(known, table, 0.0)), self.sums(known.astype(float))
        if (sizes == sizes[:, :1]).all():
            sizes = sizes[:, :1]
        both = np.concatenate([sums, sizes], 1)
        with np.errstate(invalid="ignore"):
            parts = (product(times, both) for times in self._times())
            return np.concatenate([part[:, : sums.shape[1]] / part[:, sums.shape[1] :] for part in parts])

    def hold(self) -> None:
        """Draw now, where that is not too much to be kept: threads then share what was drawn."""
        if not self._kept and self.count * _DRAWS <= _HELD:
            self._kept = list(self._drawn(_DRAWS))

    def _times(self) -> Iterator[np.ndarray]:
        """How often each draw has each group, float64 `(draws, groups)`, a block of draws at a time."""
        self.hold()
        return iter(self._kept or self._drawn(max(1, _HELD // self.count)))

    def _drawn(self, step: int) -> Iterator[np.ndarray]:
        rng = np.random.default_rng(self._seed)
        for first in range(0, _DRAWS, step):
            times = np.empty((min(step, _DRAWS - first), self.count))
            # Parts that stay in the cache, in memory that is used again; the numbers drawn are the same.
            part = max(1, _PART // self.count)
            for begin in range(0, len(times), part):
                into = times[begin : begin + part]
                place = rng.integers(0, self.count, into.shape)
                place += np.arange(0, into.size, self.count)[:, None]
                into[:] = np.bincount(place.ravel(), minlength=into.size).reshape(into.shape)
            yield times


def product(times: np.ndarray, table: np.ndarray) -> np.ndarray:
    """The matrix product, by parts so small that BLAS does them in this thread.

    Threads that it wakes stay awake for 0.1 s, which halves the speed of whatever comes next; here they gain nothing.
    """
    step = max(1, (_SMALL if table.shape[1] > 1 else _SMALL // 32) // table.size)
    return np.concatenate([times[first : first + step] @ table for first in range(0, len(times), step)])


def over_all(means: np.ndarray) -> np.ndarray:
    """Mean over the classes, the last axis, of means over cases; a class without a case is passed over."""
    return np.nanmean(means, -1) if np.isnan(means).any() else means.mean(-1)


def over_cases(table: np.ndarray) -> np.ndarray:
    """Mean of each class of a table `(cases, classes)`; NaN is a case without a score."""
    return np.nanmean(table, 0) if np.isnan(table).any() else table.mean(0)


def bounds(drawn: np.ndarray) -> np.ndarray:
    """95 % interval of what was drawn: `(2, ...)` of `(draws, ...)`."""
    found = np.nanpercentile if np.isnan(drawn).any() else np.percentile
    return found(drawn, (2.5, 97.5), axis=0)


def interval(table: np.ndarray, groups: Sequence[str], seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over cases, then classes, of a table `(cases, classes)`.

    Returns (mean, mean) when there is one group only.
    """
    low, high = bounds(over_all(Draws(groups, seed).means(table)))
    return float(low), float(high)


def scores(metric: str, table: np.ndarray, names: Sequence[str], groups: Sequence[str] | Draws) -> dict[str, Any]:
    """One entry of `scores.json`: mean, interval and per-class means of a table `(cases, classes)`.

    Args:
        metric: its name.
        table: scores; NaN is a case without a score, and no class may lack all.
        names: of the classes.
        groups: of the cases, or draws of them that several tables share.
    """
    draws = groups if isinstance(groups, Draws) else Draws(groups)
    per_class, drawn = over_cases(table), draws.means(table)
    intervals = bounds(drawn).T.tolist()
    return {
        "metric": metric,
        "mean": float(over_all(per_class)),
        "interval": bounds(over_all(drawn)).tolist(),
        "per_class": dict(zip(names, per_class.tolist(), strict=True)),
        "per_class_interval": dict(zip(names, intervals, strict=True)),
        "cases": len(table),
    }
