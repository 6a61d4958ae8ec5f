"""Counts of pixels above each of many thresholds, compiled by Numba; the same in NumPy where Numba cannot be had.

Values and weights are whole numbers, so a sum is exact and does not depend on the order of the members.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

# Sums are sorted into this many cells, a power of two, from which their bin is at most a few steps away.
_CELLS = 4096


def tally(
    values: np.ndarray, truth: np.ndarray, heads: np.ndarray, weights: np.ndarray, bars: np.ndarray
) -> np.ndarray:
    """Pixels whose weighted sum is above each bar, and the true ones among them.

    Args:
        values: int16 `(n, members)`, one row a pixel.
        truth: uint8 `(n,)`, 0 or 1.
        heads: int64 `(cases + 1,)`, where the pixels of each case begin.
        weights: int32 `(members,)`, not negative; their sum is below 65,536.
        bars: int32 `(t,)`, rising strictly.

    Returns:
        int64 `(cases, t, 2)`: above the bar, and above it and true.
    """
    bins = np.zeros((len(heads) - 1, len(bars) + 1, 2), np.int64)
    _engine()(values, truth, heads, np.ascontiguousarray(weights, np.int32), np.ascontiguousarray(bars, np.int32), bins)
    # A pixel in bin b is above the first b bars.
    return bins[:, :0:-1].cumsum(1)[:, ::-1]


@cache
def _engine() -> Callable[..., None]:
    try:
        from phalanx.ensemble import _tally_loop
    except ImportError:
        return _plain

    def run(
        values: np.ndarray, truth: np.ndarray, heads: np.ndarray, weights: np.ndarray, bars: np.ndarray,
        bins: np.ndarray,
    ) -> None:  # fmt: skip
        first, last = int(bars[0]), int(bars[-1])
        shift = max(0, (last - first).bit_length() - (_CELLS.bit_length() - 1))
        # The bin of the smallest sum in each cell: the true one of any sum in it is this or a little higher.
        cells = np.searchsorted(bars, first + (np.arange(_CELLS + 1, dtype=np.int64) << shift), "left")
        _tally_loop.tally(values, truth, heads, weights, bars, cells.astype(np.int32), shift, bins)

    return run


def _plain(
    values: np.ndarray, truth: np.ndarray, heads: np.ndarray, weights: np.ndarray, bars: np.ndarray, bins: np.ndarray
) -> None:
    place = np.searchsorted(bars, values.astype(np.int32) @ weights, "left")
    for case, (first, end) in enumerate(zip(heads[:-1].tolist(), heads[1:].tolist(), strict=True)):
        bins[case, :, 0] = np.bincount(place[first:end], minlength=len(bars) + 1)
        bins[case, :, 1] = np.bincount(place[first:end], truth[first:end], len(bars) + 1)
