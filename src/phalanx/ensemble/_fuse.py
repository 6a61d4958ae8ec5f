"""The loops of the soft ensemble, compiled by Numba: add a plane to a sum, and find the box of what is above a bar.

Imported only where Numba is there; `soft.py` does the same in NumPy otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit


def _compiled(function: Callable[..., Any]) -> Any:
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:
        # Neither the package's folder nor the user's cache can be written.
        return njit(nogil=True)(function)


@_compiled
def add(total: np.ndarray, plane: np.ndarray, factor: np.float32, shift: np.float32, fresh: bool) -> None:
    """`total += factor * (plane + shift)` in float32, or `=` when `fresh`."""
    height, width = plane.shape
    for y in range(height):
        if fresh:
            for x in range(width):
                total[y, x] = factor * (np.float32(plane[y, x]) + shift)
        else:
            for x in range(width):
                total[y, x] += factor * (np.float32(plane[y, x]) + shift)


@_compiled
def look_up(total: np.ndarray, plane: np.ndarray, table: np.ndarray, fresh: bool) -> None:
    """`total += table[plane + 128]`, or `=` when `fresh`, for int8 planes."""
    height, width = plane.shape
    for y in range(height):
        for x in range(width):
            value = table[np.int64(plane[y, x]) + 128]
            total[y, x] = value if fresh else total[y, x] + value


@_compiled
def box(plane: np.ndarray, bar: np.float32) -> Any:
    """`(top, left, bottom, right)` around the pixels above the bar, the last two exclusive; all 0 without any."""
    height, width = plane.shape
    top, left, bottom, right = height, width, 0, 0
    for y in range(height):
        above = False
        for x in range(width):
            above |= plane[y, x] > bar
        if above:
            top, bottom = min(top, y), y + 1
            first = 0
            while plane[y, first] <= bar:
                first += 1
            last = width - 1
            while plane[y, last] <= bar:
                last -= 1
            left, right = min(left, first), max(right, last + 1)
    if bottom == 0:
        return 0, 0, 0, 0
    return top, left, bottom, right
