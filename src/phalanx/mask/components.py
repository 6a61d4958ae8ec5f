"""Connected objects of a mask, and its holes, found on its runs.

rlemasklib 0.8.1 does the same in C and finds the same objects; but of equal ones its largest is not always the first,
and its `fill_small_holes` fills background at the border too. The largest of each of 29 bones at 2048 px takes it
0.41 ms, with runs turned to its masks and back; this 0.25 ms; painting and OpenCV 6.1 ms.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from types import ModuleType
from typing import Literal

import numpy as np


def split(runs: np.ndarray, size: tuple[int, int], connectivity: Literal[4, 8] = 8) -> list[np.ndarray]:
    """The mask's connected objects as runs, ordered by their first pixel in row-major order.

    Args:
        runs: int64 `(n, 2)`.
        size: `(height, width)` of the image.
        connectivity: 4: pixels hold together by their sides; 8: by their corners too.
    """
    parts, labels, areas = _objects(runs, size, connectivity)
    found, heads = _engine().grouped(parts, labels, len(areas))
    return [found[start:stop] for start, stop in pairwise(heads.tolist())]


def largest(runs: np.ndarray, size: tuple[int, int], connectivity: Literal[4, 8] = 8, count: int = 1) -> np.ndarray:
    """Runs of the objects with the most pixels, the first of equal ones; no pixel of a mask without one.

    Args:
        runs: int64 `(n, 2)`.
        size: `(height, width)` of the image.
        connectivity: 4: pixels hold together by their sides; 8: by their corners too.
        count: how many objects, at least 1.
    """
    if count < 1:
        raise ValueError(f"at least one object must stay: {count}. Give a count of 1 or more")
    parts, labels, areas = _objects(runs, size, connectivity)
    if len(areas) <= count:
        return runs
    keep = np.zeros(len(areas), np.bool_)
    keep[np.argsort(-areas, kind="stable")[:count]] = True
    return _engine().kept(parts, labels, keep)


def remove_small(runs: np.ndarray, size: tuple[int, int], smallest: int, connectivity: Literal[4, 8] = 8) -> np.ndarray:
    """Runs without the objects of fewer than `smallest` pixels.

    Args:
        runs: int64 `(n, 2)`.
        size: `(height, width)` of the image.
        smallest: pixels of the smallest object that stays.
        connectivity: 4: pixels hold together by their sides; 8: by their corners too.
    """
    parts, labels, areas = _objects(runs, size, connectivity)
    keep = areas >= smallest
    return runs if keep.all() else _engine().kept(parts, labels, keep)


def fill_holes(runs: np.ndarray, size: tuple[int, int], largest: int | None = None) -> np.ndarray:
    """Runs with their holes filled: background that no path over the sides of background pixels joins to the border.

    Args:
        runs: int64 `(n, 2)`.
        size: `(height, width)` of the image.
        largest: pixels of the largest hole that is filled; None: all are.
    """
    # Background lies between two runs. What comes before the first and behind the last reaches the border.
    gaps = runs.ravel()[1:-1].reshape(-1, 2)
    if not len(gaps):
        return runs
    parts, labels, areas = _objects(gaps, size, 4)
    hole = _engine().enclosed(np.ascontiguousarray(runs), parts, labels, len(areas), size[1])
    if largest is not None:
        hole &= areas <= largest
    if not hole.any():
        return runs
    # No hole reaches the end of a row, so each of its intervals is all there is between two runs.
    apart = np.ones(len(gaps), np.bool_)
    apart[np.searchsorted(gaps[:, 0], parts[hole[labels], 0])] = False
    return np.stack([runs[np.append(True, apart), 0], runs[np.append(apart, True), 1]], 1)


@cache
def _engine() -> ModuleType:
    """The compiled functions, or those that paint where Numba cannot be imported."""
    try:
        from phalanx.mask import _objects
    except ImportError:
        from phalanx.mask import _painted

        return _painted
    return _objects


def _objects(runs: np.ndarray, size: tuple[int, int], connectivity: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """See `_painted.objects`."""
    if connectivity not in (4, 8):
        raise ValueError(f"connectivity must be 4 or 8: {connectivity}. Choose one")
    return _engine().objects(np.ascontiguousarray(runs), size[1], int(connectivity == 8))
