"""Connected objects of runs, compiled by Numba: neighbouring rows are walked side by side, no pixel is painted.

The functions and what they return are those of `_painted.py`, what the tests hold these to.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from phalanx.mask._compile import compiled


@compiled
def _root(parents: np.ndarray, node: int) -> int:
    """The first part of the object that a part belongs to; halves the way there for the next who asks."""
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@compiled
def _split(runs: np.ndarray, width: int) -> Any:
    """Runs cut where their row ends."""
    count = 0
    for run in range(len(runs)):
        count += (runs[run, 1] - 1) // width - runs[run, 0] // width + 1
    parts = np.empty((count, 2), np.int64)
    fill = 0
    for run in range(len(runs)):
        start, stop = runs[run, 0], runs[run, 1]
        end = (start // width + 1) * width
        while end < stop:
            parts[fill, 0], parts[fill, 1] = start, end
            fill += 1
            start, end = end, end + width
        parts[fill, 0], parts[fill, 1] = start, stop
        fill += 1
    return parts


@compiled
def _link(parts: np.ndarray, width: int, reach: int) -> Any:
    """Hang each part on an earlier part of its object, the first on itself."""
    parents = np.arange(len(parts))
    above = 0
    for here in range(len(parts)):
        # The part moved up a row: what lies there touches it where the two overlap.
        start, stop = parts[here, 0] - width, parts[here, 1] - width
        border = start // width * width
        # Behind the border a corner would be a pixel of another row.
        low = max(start - reach, border)
        high = min(stop + reach, border + width)
        while parts[above, 1] <= low:
            above += 1
        other = above
        while parts[other, 0] < high:
            one, two = _root(parents, here), _root(parents, other)
            parents[max(one, two)] = min(one, two)
            other += 1
    return parents


@compiled
def objects(runs: np.ndarray, width: int, reach: int) -> Any:
    """See `_painted.objects`."""
    parts = _split(runs, width)
    labels = _link(parts, width, reach)
    areas = np.zeros(len(parts), np.int64)
    count = 0
    for part in range(len(parts)):
        # A root comes before what hangs on it. Its place takes the number, which the others find there.
        if labels[part] == part:
            labels[part] = count
            count += 1
        else:
            labels[part] = labels[labels[part]]
        areas[labels[part]] += parts[part, 1] - parts[part, 0]
    return parts, labels, areas[:count]


@compiled
def grouped(parts: np.ndarray, labels: np.ndarray, number: int) -> Any:
    """See `_painted.grouped`."""
    heads = np.zeros(number + 1, np.int64)
    last = np.full(number, -1, np.int64)
    for part in range(len(parts)):
        of = labels[part]
        heads[of + 1] += parts[part, 0] != last[of]
        last[of] = parts[part, 1]
    for of in range(number):
        heads[of + 1] += heads[of]
        last[of] = heads[of] - 1
    found = np.empty((heads[number], 2), np.int64)
    for part in range(len(parts)):
        of = labels[part]
        if last[of] < heads[of] or found[last[of], 1] != parts[part, 0]:
            last[of] += 1
            found[last[of], 0] = parts[part, 0]
        found[last[of], 1] = parts[part, 1]
    return found, heads


@compiled
def kept(parts: np.ndarray, labels: np.ndarray, keep: np.ndarray) -> Any:
    """See `_painted.kept`."""
    found = np.empty((len(parts), 2), np.int64)
    fill = 0
    for part in range(len(parts)):
        if not keep[labels[part]]:
            continue
        if fill == 0 or found[fill - 1, 1] != parts[part, 0]:
            found[fill, 0] = parts[part, 0]
            fill += 1
        found[fill - 1, 1] = parts[part, 1]
    return found[:fill].copy()


@compiled
def enclosed(runs: np.ndarray, parts: np.ndarray, labels: np.ndarray, number: int, width: int) -> Any:
    """See `_painted.enclosed`."""
    first, last = runs[0, 0], runs[-1, 1]
    inside = np.ones(number, np.bool_)
    for part in range(len(parts)):
        start, stop = parts[part, 0], parts[part, 1]
        at_border = start % width == 0 or stop % width == 0
        if at_border or start - width < first or stop + width > last:
            inside[labels[part]] = False
    return inside
