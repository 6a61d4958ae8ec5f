"""Kernels: the loops over text and runs that decide the speed of everything about submissions, compiled by Numba.

The functions and what they return are those of `_plain.py`, which says the same in NumPy and is the oracle of the
tests. Compiled code is kept on disk; the loops release the GIL, so threads share the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numba.extending import overload

from phalanx.mask._plain import END

# More digits may not fit int64: the row is left to `rle.parse`.
_DIGITS = 18
_SPACE, _ZERO = 32, 48
_ZERO_BYTE = np.uint8(_ZERO)

# The four digits of every number below 10,000.
_QUADS = np.frombuffer("".join(f"{number:04}" for number in range(10_000)).encode(), np.uint8)


def _compiled(function: Callable[..., Any]) -> Any:
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:
        # Neither the package's folder nor the user's cache can be written.
        return njit(nogil=True)(function)


@_compiled
def _number(text: np.ndarray, at: int, stop: int) -> Any:
    """The whole number that begins at `at`, and where it ends; -1 when there is none."""
    begin, value = at, 0
    while at < stop:
        # What is below "0" wraps around to more than 9: one look tells a digit.
        digit = np.uint8(text[at] - _ZERO_BYTE)
        if digit > 9:
            break
        value = value * 10 + np.int64(digit)
        at += 1
    if at == begin or at - begin > _DIGITS or (at < stop and text[at] != _SPACE):
        return -1, at
    while at < stop and text[at] == _SPACE:
        at += 1
    return value, at


@_compiled
def _row(
    text: np.ndarray, at: int, stop: int, base: int, relative: bool, limit: int, bounds: np.ndarray, fill: int
) -> int:
    """Parse one cell to `bounds[fill:]`; the new fill, or -1 when something is wrong with it."""
    first, last = fill, 0
    while at < stop and text[at] == _SPACE:
        at += 1
    while at < stop:
        start, at = _number(text, at, stop)
        if start < 0 or at >= stop:
            return -1
        length, at = _number(text, at, stop)
        start -= base
        if relative:
            start += last
        if length <= 0 or start < last or start + length > limit:
            return -1
        if start == last and fill > first:
            bounds[fill - 1] = start + length
        else:
            bounds[fill] = start
            bounds[fill + 1] = start + length
            fill += 2
        last = start + length
    return fill


@_compiled
def parse(
    text: np.ndarray,
    spans: np.ndarray,
    base: int,
    relative: bool,
    limits: np.ndarray,
    bounds: np.ndarray,
    fill: int,
    heads: np.ndarray,
    faults: np.ndarray,
) -> int:
    """See `_plain.parse`."""
    for row in range(len(spans)):
        heads[row] = fill
        end = _row(text, spans[row, 0], spans[row, 1], base, relative, limits[row], bounds, fill)
        faults[row] = end <= fill
        fill = max(end, fill)
        bounds[fill] = END
        fill += 1
    heads[len(spans)] = fill
    return fill


# Up to so many members have kernels of their own, compiled on first use (a second or two).
_FEW = 12


def vote(
    bounds: np.ndarray,
    heads: np.ndarray,
    weights: np.ndarray,
    needs: np.ndarray,
    group: np.ndarray,
    out: np.ndarray,
    ends: np.ndarray,
) -> int:
    """See `_plain.vote`."""
    if len(heads) <= _FEW:
        return _vote_few(bounds, tuple(heads), weights, needs, group, out, ends)
    return _vote_many(bounds, heads, weights, needs, group, out, ends)


# What a sweep knows of each member is a tuple (place in bounds, the bound there, what its weight does to the sum), kept
# in registers: the functions below are unrolled over the members by the compiler, which halves the time of arrays.


def _start(bounds: np.ndarray, heads: Any, weights: np.ndarray, row: int) -> Any:
    """The state of all members at the beginning of a row."""


def _least(members: Any) -> Any:
    """The next bound of any member."""


def _advance(bounds: np.ndarray, now: int, total: Any, members: Any) -> Any:
    """The sum of weights behind the bound `now`, and the members' state there. No branch depends on who has it."""


# Signatures without annotations: Numba compares them word by word.
@overload(_start)
def _start_unrolled(bounds, heads, weights, row):
    def more(bounds, heads, weights, row):
        at = heads[0][row]
        return ((at, bounds[at], weights[0]), *_start(bounds, heads[1:], weights[1:], row))

    return more if len(heads) else lambda bounds, heads, weights, row: ()


@overload(_least)
def _least_unrolled(members):
    if len(members) == 1:
        return lambda members: members[0][1]
    return lambda members: min(members[0][1], _least(members[1:]))


@overload(_advance)
def _advance_unrolled(bounds, now, total, members):
    def more(bounds, now, total, members):
        at, ahead, gain = members[0]
        hit = np.int64(ahead == now)
        at += hit
        total, rest = _advance(bounds, now, total + gain * hit, members[1:])
        return total, ((at, bounds[at], -gain if hit else gain), *rest)

    return more if len(members) else lambda bounds, now, total, members: (total, ())


@_compiled
def _vote_few(
    bounds: np.ndarray,
    heads: Any,
    weights: np.ndarray,
    needs: np.ndarray,
    group: np.ndarray,
    out: np.ndarray,
    ends: np.ndarray,
) -> int:
    """A sweep over the members' bounds in order."""
    fill = 0
    for row in range(len(ends) - 1):
        ends[row] = fill
        need = needs[group[row]]
        members = _start(bounds, heads, weights[group[row]], row)
        total = np.int64(0)
        inside = False
        while True:
            now = _least(members)
            if now == END:
                break
            total, members = _advance(bounds, now, total, members)
            kept = total >= need
            out[fill] = now
            fill += kept != inside
            inside = kept
        out[fill] = END
        fill += 1
    ends[len(ends) - 1] = fill
    return fill


@_compiled
def _vote_many(
    bounds: np.ndarray,
    heads: np.ndarray,
    weights: np.ndarray,
    needs: np.ndarray,
    group: np.ndarray,
    out: np.ndarray,
    ends: np.ndarray,
) -> int:
    """The sweep of `_vote_few` with its state in arrays: half as fast, for any number of members."""
    members, rows = heads.shape[0], heads.shape[1] - 1
    at = np.empty(members, np.int64)
    ahead = np.empty(members, np.int64)
    gain = np.empty(members, np.int64)
    fill = 0
    for row in range(rows):
        ends[row] = fill
        need = needs[group[row]]
        for member in range(members):
            at[member] = heads[member, row]
            ahead[member] = bounds[at[member]]
            gain[member] = weights[group[row], member]
        total = 0
        inside = False
        while True:
            now = ahead[0]
            for member in range(1, members):
                now = min(now, ahead[member])
            if now == END:
                break
            for member in range(members):
                hit = ahead[member] == now
                total += gain[member] * hit
                gain[member] = -gain[member] if hit else gain[member]
                at[member] += hit
                ahead[member] = bounds[at[member]]
            kept = total >= need
            out[fill] = now
            fill += kept != inside
            inside = kept
        out[fill] = END
        fill += 1
    ends[rows] = fill
    return fill


@_compiled
def overlap(
    a: np.ndarray, a_heads: np.ndarray, b: np.ndarray, b_heads: np.ndarray, shared: np.ndarray, areas: np.ndarray
) -> None:
    """See `_plain.overlap`."""
    for row in range(len(shared)):
        i, j, both, first, second = a_heads[row], b_heads[row], 0, 0, 0
        while a[i] != END and b[j] != END:
            a_stop, b_stop = a[i + 1], b[j + 1]
            both += max(min(a_stop, b_stop) - max(a[i], b[j]), 0)
            step = a_stop <= b_stop
            i += 2 * step
            j += 2 * (not step)
        for k in range(a_heads[row], a_heads[row + 1] - 1, 2):
            first += a[k + 1] - a[k]
        for k in range(b_heads[row], b_heads[row + 1] - 1, 2):
            second += b[k + 1] - b[k]
        shared[row] = both
        areas[row, 0] = first
        areas[row, 1] = second


@_compiled
def _put_few(out: np.ndarray, at: int, value: int) -> int:
    """The same below 10,000."""
    digits = 1 + (value >= 10) + (value >= 100) + (value >= 1000)
    quad = value * 4 + 4 - digits
    for place in range(digits):
        out[at + place] = _QUADS[quad + place]
    return at + digits


@_compiled
def _put_all(out: np.ndarray, at: int, value: int) -> int:
    """The same, digit by digit."""
    digits, rest = 1, value
    while rest >= 10:
        rest //= 10
        digits += 1
    for place in range(at + digits - 1, at - 1, -1):
        rest = value // 10
        out[place] = _ZERO + (value - rest * 10)
        value = rest
    return at + digits


@_compiled
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


@_compiled
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
