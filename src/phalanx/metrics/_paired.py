"""Paired: whether one submission beats another on the same cases, or was lucky.

The interval is the bootstrap of `_summary`, on differences. The p-value is that of a permutation test: were the two
alike, each group's difference could as well have had the other sign. Groups (people) are flipped whole. Source: Good
2005, Permutation, Parametric and Bootstrap Tests of Hypotheses, section 3.6; the + 1 of random flips: Phipson & Smyth
2010, Stat. Appl. Genet. Mol. Biol. 9:39.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from phalanx.metrics import _summary
from phalanx.metrics._summary import Draws

# Up to this many groups every pattern of signs is tried.
EXHAUSTIVE = 14
_FLIPS = 9_999
_HELD = 4_000_000


def difference(a: np.ndarray, b: np.ndarray, names: Sequence[str], groups: Sequence[str] | Draws) -> dict[str, Any]:
    """Mean difference `a - b` of two tables of scores `(cases, classes)`, its 95 % interval and two-sided p-value.

    Args:
        a: scores; NaN is a case without a score.
        b: scores of the other submission, with NaN at the same places.
        names: of the classes.
        groups: of the cases, or draws of them.
    """
    draws = groups if isinstance(groups, Draws) else Draws(groups)
    table = a - b
    per_class, drawn = _summary.over_cases(table), draws.means(table)
    intervals = _summary.bounds(drawn).T.tolist()
    return {
        "mean": float(_summary.over_all(per_class)),
        "interval": _summary.bounds(_summary.over_all(drawn)).tolist(),
        "p": p_value(shares(table, draws)),
        "groups": draws.count,
        "per_class": dict(zip(names, per_class.tolist(), strict=True)),
        "per_class_interval": dict(zip(names, intervals, strict=True)),
    }


def shares(table: np.ndarray, draws: Draws) -> np.ndarray:
    """What each group adds to the mean over cases, then classes: `(groups,)`, their sum is that mean."""
    known = np.isfinite(table)
    return (draws.sums(np.where(known, table, 0.0)) / known.sum(0)).sum(1) / table.shape[1]


def p_value(parts: np.ndarray, seed: int = 0) -> float:
    """Share of sign patterns that give a sum at least as far from 0 as that of `parts` `(groups,)`.

    Exact up to 14 groups; above that of 9,999 random patterns and the one that was seen.
    """
    return float(p_values(parts[:, None], seed)[0])


def p_values(parts: np.ndarray, seed: int = 0) -> np.ndarray:
    """The p-value of each column of `parts` `(groups, columns)`; see `p_value`."""
    # Sums of the same numbers in another order differ in their last bits and are still equal.
    bars = np.abs(parts.sum(0)) - 1e-12 * np.abs(parts).sum(0)
    hits, total = np.zeros(parts.shape[1], np.int64), 0
    for signs in _every(len(parts)) if len(parts) <= EXHAUSTIVE else _random(len(parts), seed):
        hits += (np.abs(_summary.product(signs, parts)) >= bars).sum(0)
        total += len(signs)
    return hits / total if len(parts) <= EXHAUSTIVE else (hits + 1) / (total + 1)


def beyond_chance(table: np.ndarray, draws: Draws, rate: float = 0.05) -> np.ndarray:
    """Which classes are better beyond chance, bool `(classes,)`, of a table of differences `(cases, classes)`.

    Of those that are named, a share of `rate` may be named wrongly. Source: Benjamini & Hochberg 1995, Controlling the
    false discovery rate, J. R. Statist. Soc. B 57, section 3.
    """
    found = p_values(draws.sums(table))
    order = np.argsort(found, kind="stable")
    below = found[order] <= rate * np.arange(1, len(found) + 1) / len(found)
    named = np.zeros(len(found), np.bool_)
    named[order[: int(np.flatnonzero(below).max(initial=-1)) + 1]] = True
    return named & (table.mean(0) > 0)


def _every(groups: int) -> Iterator[np.ndarray]:
    patterns = np.arange(2**groups)[:, None] >> np.arange(groups) & 1
    yield 1.0 - 2.0 * patterns


def _random(groups: int, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    step = max(1, _HELD // groups)
    for first in range(0, _FLIPS, step):
        rows = min(step, _FLIPS - first)
        bits = np.unpackbits(np.frombuffer(rng.bytes(-(-rows * groups // 8)), np.uint8), count=rows * groups)
        yield 1.0 - 2.0 * bits.reshape(rows, groups)
