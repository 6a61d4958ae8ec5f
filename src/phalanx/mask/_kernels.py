"""Kernels: the loops over text and runs that decide the speed of everything about submissions, compiled by Numba.

The functions and what they return are those of `_plain.py`, which says the same in NumPy and is the oracle of the
tests. Compiled code is kept on disk; the loops release the GIL, so threads share the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from phalanx.mask import _digits, _lines, _sweep
from phalanx.mask._compile import compiled
from phalanx.mask._plain import END
from phalanx.mask._words import equal, numbers, ones, spread

# More digits may not fit int64: the row is left to `rle.parse`.
_DIGITS = 18
_SPACE, _ZERO = 32, 48
_ZERO_BYTE, _SPACE_BYTE = np.uint8(_ZERO), np.uint8(_SPACE)
_NONE, _ONE, _TWO, _ALL = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(0xFFFFFFFFFFFFFFFF)
# Ends of numbers that are held before the numbers are read; places in a text that fit 32 bits.
_HELD, _FAR = 1024, 2**31 - 1024


@compiled
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


@compiled
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


@compiled
def _marks(text: np.ndarray, block: int, stop: int) -> Any:
    """Which of the 64 characters from `block` on end a number: the spaces, and what lies at `stop`; one bit each."""
    if block + 64 <= len(text):
        found = equal(text, block, _SPACE_BYTE)
    else:
        found = np.uint64(0)
        for place in range(len(text) - block):
            found |= np.uint64(text[block + place] == _SPACE) << np.uint64(place)
    if stop - block >= 64:
        return found
    last = _ONE << np.uint64(stop - block)
    return (found & (last - _ONE)) | last


@compiled
def _numbers(text: np.ndarray, at: int, stop: int, ends: np.ndarray, out: np.ndarray, fill: int) -> int:
    """The numbers of a cell to `out[fill:]`, without a branch on how long each is; `ends` is room to work in.

    Returns:
        The new fill; -1 when the cell is anything but numbers of up to eight digits with one space between them, or
        there is no room for seven entries more.
    """
    # Words are read from eight characters before a number's end.
    if at < 8 or stop > _FAR:
        return -1
    ends[0] = at - 1
    held, block, strange = 0, at, _NONE
    while block <= stop:
        marks = equal(text, block, _SPACE_BYTE) if block + 64 <= stop else _marks(text, block, stop)
        count = ones(marks)
        marks = spread(marks, block, ends, held + 1)
        if count > 16:
            spread(marks, block, ends, held + 17)
        # More than that have no character between them.
        strange |= np.uint64(count > 32)
        held += min(count, 32)
        block += 64
        if held < _HELD and block <= stop:
            continue
        # The last of all may leave lanes without a number; no lane may look outside of the text.
        for lane in range(8):
            ends[held + 1 + lane] = ends[held]
        whole = held if block > stop else held - held % 8
        if fill + whole + 7 > len(out):
            return -1
        for k in range(0, whole, 8):
            lanes = _ALL if whole - k >= 8 else (_ONE << np.uint64(whole - k)) - _ONE
            strange |= numbers(text, ends, k, out, fill + k) & lanes
        fill += whole
        held -= whole
        for k in range(held + 1):
            ends[k] = ends[whole + k]
    return -1 if strange else fill


@compiled
def _united(bounds: np.ndarray, fill: int, end: int) -> int:
    """Runs that touch become one; the new end."""
    last = fill + 1
    for k in range(fill + 2, end, 2):
        if bounds[k] != bounds[last]:
            last += 2
            bounds[last - 1] = bounds[k]
        bounds[last] = bounds[k + 1]
    return last + 1


@compiled
def _usual_row(
    text: np.ndarray, at: int, stop: int, base: int, limit: int, ends: np.ndarray, bounds: np.ndarray, fill: int
) -> int:
    """`_row` for a cell as programs write it; -1 for any other, sound or not."""
    end = _numbers(text, at, stop, ends, bounds, fill)
    if end < 0 or (end - fill) % 2:
        return -1
    first, last, strange = np.uint64(fill), np.uint64(end), bounds[fill] < base
    for k in range(first, last, _TWO):
        length = bounds[k + _ONE]
        strange |= length <= 0
        bounds[k] -= base
        bounds[k + _ONE] = bounds[k] + length
    touching = False
    for k in range(first + _TWO, last, _TWO):
        strange |= bounds[k] < bounds[k - _ONE]
        touching |= bounds[k] == bounds[k - _ONE]
    if strange or bounds[last - _ONE] > limit:
        return -1
    return _united(bounds, fill, end) if touching else end


@compiled
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
    ends = np.empty(_HELD + 64, np.int32)
    for row in range(len(spans)):
        at, stop = spans[row, 0], spans[row, 1]
        heads[row] = fill
        end = -1 if relative else _usual_row(text, at, stop, base, limits[row], ends, bounds, fill)
        if end < 0:
            end = _row(text, at, stop, base, relative, limits[row], bounds, fill)
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
        return _sweep.few(bounds, tuple(heads), weights, needs, group, out, ends)
    return _sweep.many(bounds, heads, weights, needs, group, out, ends)


@compiled
def _shared(a: np.ndarray, first: int, b: np.ndarray, second: int) -> int:
    """Pixels in both of the masks that begin at `a[first]` and `b[second]`."""
    # Places without a sign: Numba asks of any other whether it counts from the end.
    i, j, both = np.uint64(first), np.uint64(second), 0
    while a[i] != END and b[j] != END:
        # Masks of one object are mostly pairs of runs that meet no other. A loop of its own is guessed right by the
        # processor, which then works on several pairs at once; one sum of both steps makes it wait for each.
        while a[i + _ONE] <= b[j + _TWO] and b[j + _ONE] <= a[i + _TWO]:
            both += max(min(a[i + _ONE], b[j + _ONE]) - max(a[i], b[j]), 0)
            i += _TWO
            j += _TWO
            if a[i] == END or b[j] == END:
                return both
        both += max(min(a[i + _ONE], b[j + _ONE]) - max(a[i], b[j]), 0)
        step = a[i + _ONE] <= b[j + _ONE]
        i += _TWO * np.uint64(step)
        j += _TWO * np.uint64(not step)
    return both


@compiled
def _area(bounds: np.ndarray, first: int, end: int) -> int:
    """Pixels of the mask between two heads."""
    pixels = 0
    for k in range(np.uint64(first), np.uint64(end - 1), _TWO):
        pixels += bounds[k + _ONE] - bounds[k]
    return pixels


@compiled
def overlap(
    a: np.ndarray, a_heads: np.ndarray, b: np.ndarray, b_heads: np.ndarray, shared: np.ndarray, areas: np.ndarray
) -> None:
    """See `_plain.overlap`."""
    for row in range(len(shared)):
        shared[row] = _shared(a, a_heads[row], b, b_heads[row])
        areas[row, 0] = _area(a, a_heads[row], a_heads[row + 1])
        areas[row, 1] = _area(b, b_heads[row], b_heads[row + 1])


@compiled
def measure(
    text: np.ndarray, spans: np.ndarray, other: np.ndarray, other_spans: np.ndarray, bases: np.ndarray,
    blanks: np.ndarray, limits: np.ndarray, bounds: np.ndarray, counts: np.ndarray,
) -> bool:  # fmt: skip
    """See `_plain.measure`."""
    ends = np.empty(_HELD + 64, np.int32)
    for row in range(len(spans)):
        middle = end = 0
        if not blanks[0] or spans[row, 0] < spans[row, 1]:
            middle = _usual_row(text, spans[row, 0], spans[row, 1], bases[0], limits[row], ends, bounds, 0)
        if middle < 0 or middle + 1 >= len(bounds):
            return False
        bounds[middle] = END
        middle += 1
        end = middle
        if not blanks[1] or other_spans[row, 0] < other_spans[row, 1]:
            at, stop = other_spans[row, 0], other_spans[row, 1]
            end = _usual_row(other, at, stop, bases[1], limits[row], ends, bounds, middle)
        if end < 0 or end >= len(bounds):
            return False
        bounds[end] = END
        counts[row, 0] = _shared(bounds, 0, bounds, middle)
        counts[row, 1] = _area(bounds, 0, middle)
        counts[row, 2] = _area(bounds, middle, end + 1)
    return True


def write(bounds: np.ndarray, heads: np.ndarray, base: int, relative: bool, out: np.ndarray, ends: np.ndarray) -> int:
    """See `_plain.write`."""
    return _digits.write(bounds, heads, base, relative, out, ends)


def lines(
    text: np.ndarray, columns: np.ndarray, spans: np.ndarray, images: np.ndarray, labels: np.ndarray, fills: np.ndarray
) -> int:
    """See `_plain.lines`."""
    return _lines.lines(text, columns, spans, images, labels, fills)
