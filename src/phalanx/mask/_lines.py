"""Lines: the cells of a plain CSV, compiled by Numba; see `_plain.lines` for what it does."""

from __future__ import annotations

from typing import Any

import numpy as np

from phalanx.mask._compile import compiled
from phalanx.mask._words import beyond, equal, others, trailing_zeros

_COMMA, _LINE, _QUOTE, _RETURN = (np.uint8(character) for character in b',\n"\r')
_NONE, _ONE = np.uint64(0), np.uint64(1)


@compiled
def _copied(text: np.ndarray, begin: int, end: int, out: np.ndarray, fill: int) -> int:
    """A cell and a line end to `out[fill:]`; the new fill."""
    for place in range(begin, end):
        out[fill] = text[place]
        fill += 1
    out[fill] = _LINE
    return fill + 1


@compiled
def _rest(text: np.ndarray, block: int) -> Any:
    """Which characters from `block` on end a cell, one bit each, and which have no place in such a text."""
    found = strange = _NONE
    for place in range(len(text) - block):
        character = text[block + place]
        found |= np.uint64(character in (_COMMA, _LINE)) << np.uint64(place)
        strange |= np.uint64(character in (_QUOTE, _RETURN) or character > 127)
    return found, strange


@compiled
def _kept(
    text: np.ndarray, begin: int, end: int, cell: int, columns: np.ndarray, spans: np.ndarray, images: np.ndarray,
    labels: np.ndarray, taken: np.ndarray,
) -> None:  # fmt: skip
    """What a line's cell of this number leaves behind `taken`."""
    if cell == columns[1]:
        taken[1] = _copied(text, begin, end, images, taken[1])
    elif cell == columns[2]:
        taken[2] = _copied(text, begin, end, labels, taken[2])
    elif cell == columns[3]:
        spans[taken[0], 0] = begin
        spans[taken[0], 1] = end


@compiled
def lines(
    text: np.ndarray, columns: np.ndarray, spans: np.ndarray, images: np.ndarray, labels: np.ndarray, fills: np.ndarray
) -> Any:
    """See `_plain.lines`."""
    cell, begin, end = 0, 0, 0
    taken = np.zeros(3, np.int64)
    fills[:] = taken
    for block in range(0, len(text), 64):
        if block + 64 > len(text):
            found, strange = _rest(text, block)
        elif others(text, block) == _NONE:
            # Most blocks lie within a mask.
            continue
        else:
            found = equal(text, block, _COMMA) | equal(text, block, _LINE)
            strange = equal(text, block, _QUOTE) | equal(text, block, _RETURN) | beyond(text, block)
        if strange:
            return -1
        while found != _NONE:
            place = block + np.int64(trailing_zeros(found))
            found &= found - _ONE
            _kept(text, begin, place, cell, columns, spans, images, labels, taken)
            begin = place + 1
            cell += 1
            if (text[place] == _LINE) != (cell == columns[0]):
                return -1
            if cell == columns[0]:
                cell, end = 0, begin
                taken[0] += 1
                fills[:] = taken
    return end
