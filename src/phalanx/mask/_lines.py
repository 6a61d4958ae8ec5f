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
def lines(
    text: np.ndarray, columns: np.ndarray, spans: np.ndarray, images: np.ndarray, labels: np.ndarray, fills: np.ndarray
) -> int:
    """See `_plain.lines`."""
    width, image, label, mask = columns
    rows, of_images, of_labels = 0, 0, 0
    cell, begin, end = 0, 0, 0
    fills[:] = 0
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
            last = text[place] == _LINE
            if last != (cell == width - 1):
                return -1
            if cell == image:
                of_images = _copied(text, begin, place, images, of_images)
            elif cell == label:
                of_labels = _copied(text, begin, place, labels, of_labels)
            elif cell == mask:
                spans[rows, 0] = begin
                spans[rows, 1] = place
            begin = place + 1
            cell += 1
            if last:
                cell, end = 0, begin
                rows += 1
                fills[0], fills[1], fills[2] = rows, of_images, of_labels
    return end
