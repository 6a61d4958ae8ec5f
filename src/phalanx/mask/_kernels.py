"""Kernels: the loops over text and runs that decide the speed of everything about submissions, compiled by Numba.

The functions and what they return are those of `_plain.py`, which says the same in NumPy and is the oracle of the
tests. Compiled code is kept on disk; the loops release the GIL, so threads share the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from phalanx.mask import _sweep
from phalanx.mask._compile import compiled
from phalanx.mask._plain import END
from phalanx.mask._words import equal, trailing_zeros, word

# More digits may not fit int64: the row is left to `rle.parse`.
_DIGITS = 18
_SPACE, _ZERO = 32, 48
_ZERO_BYTE, _SPACE_BYTE, _COMMA_BYTE, _LINE_BYTE = (np.uint8(character) for character in (_ZERO, _SPACE, 44, 10))

# Eight characters as one word: "00000000", what lifts all but digits to the sign bit of their byte, and these bits.
_ZEROS, _LIFT, _SIGNS = np.uint64(0x3030303030303030), np.uint64(0x7676767676767676), np.uint64(0x8080808080808080)
# Pairs of digits to one number: every fourth byte, then the weights of the pairs.
_PAIRS, _OUTER, _INNER = np.uint64(0xFF000000FF), np.uint64(0x000F424000000064), np.uint64(0x0000271000000001)
_ONE, _ALL = np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)
_8, _16, _32, _63, _64 = (np.uint64(number) for number in (8, 16, 32, 63, 64))

# The four digits of every number below 10,000.
_QUADS = np.frombuffer("".join(f"{number:04}" for number in range(10_000)).encode(), np.uint8)


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
def separators(text: np.ndarray, out: np.ndarray) -> int:
    """See `_plain.separators`."""
    fill, block = 0, 0
    while block + 64 <= len(text):
        found = equal(text, block, _COMMA_BYTE) | equal(text, block, _LINE_BYTE)
        while found != np.uint64(0):
            out[fill] = block + np.int64(trailing_zeros(found))
            fill += 1
            found &= found - _ONE
        block += 64
    for place in range(block, len(text)):
        if text[place] == _COMMA_BYTE or text[place] == _LINE_BYTE:
            out[fill] = place
            fill += 1
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
def _numbers(text: np.ndarray, at: int, stop: int, out: np.ndarray, fill: Any) -> Any:
    """The numbers of a cell to `out[fill:]`, eight characters at once, without a branch on how long each is.

    Returns:
        The new fill; -1 when the cell is anything but numbers of up to eight digits with one space between them.
    """
    begin, block, strange = at, at, np.uint64(0)
    while block <= stop:
        marks = _marks(text, block, stop)
        while marks != np.uint64(0):
            end = block + np.int64(trailing_zeros(marks))
            marks &= marks - _ONE
            digits = end - begin
            # The eight characters before `end`; those before `begin` are made to zeros.
            digit = (word(text, end - 8) ^ _ZEROS) & (_ALL << ((_64 - (np.uint64(digits) << np.uint64(3))) & _63))
            strange |= (((digit + _LIFT) | digit) & _SIGNS) | np.uint64(digits > 8) | np.uint64(digits == 0)
            pairs = digit * np.uint64(10) + (digit >> _8)
            out[fill] = np.int64(((pairs & _PAIRS) * _OUTER + ((pairs >> _16) & _PAIRS) * _INNER) >> _32)
            # Where two spaces meet is no number, and has no room in `out`.
            fill += digits > 0
            begin = end + 1
        block += 64
    return -1 if strange else fill


@compiled
def _usual_row(text: np.ndarray, at: int, stop: int, base: int, limit: int, bounds: np.ndarray, fill: int) -> int:
    """`_row` for a cell as programs write it; -1 for any other, sound or not."""
    # Words are read from eight characters before a number's end.
    end = _numbers(text, at, stop, bounds, fill) if at >= 8 else -1
    if end < 0 or (end - fill) % 2:
        return -1
    last, strange = 0, False
    for k in range(fill, end, 2):
        start, length = bounds[k] - base, bounds[k + 1]
        # A run that touches the one before is united with it by `_row`.
        strange |= (length <= 0) | (start < last) | ((start == last) & (k > fill))
        last = start + length
        bounds[k] = start
        bounds[k + 1] = last
    return -1 if strange or last > limit else end


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
    for row in range(len(spans)):
        heads[row] = fill
        end = -1 if relative else _usual_row(text, spans[row, 0], spans[row, 1], base, limits[row], bounds, fill)
        if end < 0:
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
        return _sweep.few(bounds, tuple(heads), weights, needs, group, out, ends)
    return _sweep.many(bounds, heads, weights, needs, group, out, ends)


@compiled
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


@compiled
def _put_few(out: np.ndarray, at: int, value: int) -> int:
    """The same below 10,000."""
    digits = 1 + (value >= 10) + (value >= 100) + (value >= 1000)
    quad = value * 4 + 4 - digits
    for place in range(digits):
        out[at + place] = _QUADS[quad + place]
    return at + digits


@compiled
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
