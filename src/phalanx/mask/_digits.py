"""Digits: the text of many masks, compiled by Numba; see `_plain.write` for what it does."""

from __future__ import annotations

import numpy as np

from phalanx.mask._compile import compiled

_SPACE, _ZERO = 32, 48

# The four digits of every number below 10,000.
_QUADS = np.frombuffer("".join(f"{number:04}" for number in range(10_000)).encode(), np.uint8)


@compiled
def _put_few(out: np.ndarray, at: int, value: int) -> int:
    """Write the digits of a number below 10,000; where they end."""
    digits = 1 + (value >= 10) + (value >= 100) + (value >= 1000)
    quad = value * 4 + 4 - digits
    for place in range(digits):
        out[at + place] = _QUADS[quad + place]
    return at + digits


@compiled
def _put_all(out: np.ndarray, at: int, value: int) -> int:
    """Write the digits of a number of any length, one by one; where they end."""
    digits, rest = 1, value
    while rest >= 10:
        rest //= 10
        digits += 1
    for place in range(at + digits - 1, at - 1, -1):
        rest = value // 10
        out[place] = _ZERO + (value - rest * 10)
        value = rest
    return at + digits


@compiled
def _put(out: np.ndarray, at: int, value: int) -> int:
    """Write a number's digits; where they end."""
    if value >= 100_000_000:
        at = _put_all(out, at, value // 10_000)
    elif value >= 10_000:
        at = _put_few(out, at, value // 10_000)
    else:
        return _put_few(out, at, value)
    quad = value % 10_000 * 4
    for place in range(4):
        out[at + place] = _QUADS[quad + place]
    return at + 4


@compiled
def write(bounds: np.ndarray, heads: np.ndarray, base: int, relative: bool, out: np.ndarray, ends: np.ndarray) -> int:
    """See `_plain.write`."""
    at = 0
    for row in range(len(heads) - 1):
        ends[row] = at
        last = -base
        for k in range(heads[row], heads[row + 1] - 1, 2):
            if k > heads[row]:
                out[at] = _SPACE
                at += 1
            at = _put(out, at, bounds[k] - last)
            out[at] = _SPACE
            at = _put(out, at + 1, bounds[k + 1] - bounds[k])
            if relative:
                last = bounds[k + 1] - base
    ends[len(heads) - 1] = at
    return at
