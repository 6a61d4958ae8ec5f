"""The loop of `_tally.py`, compiled once and kept on disk."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def tally(
    values: Any, truth: Any, heads: Any, weights: Any, bars: Any, cells: Any, shift: int, bins: Any
) -> None:  # pragma: no cover
    """See `_tally.tally`; `cells` is the bin of the smallest sum of each stretch of `2 ** shift` sums."""
    members, count = len(weights), len(bars)
    first, last = bars[0], bars[count - 1]
    for case in range(len(heads) - 1):
        for pixel in range(heads[case], heads[case + 1]):
            total = np.int32(0)
            for member in range(members):
                total += np.int32(values[pixel, member]) * weights[member]
            if total <= first:
                place = 0
            elif total > last:
                place = count
            else:
                place = cells[(total - first) >> shift]
                while place < count and total > bars[place]:
                    place += 1
            bins[case, place, 0] += 1
            bins[case, place, 1] += truth[pixel]
