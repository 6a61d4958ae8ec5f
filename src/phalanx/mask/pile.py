"""Piles: the runs of many masks in two flat arrays, and what is done to all of them at once.

Votes, scores and comparisons take masks by the thousand; an array of its own for each would cost more than the work.
The loops are compiled by Numba (`_kernels.py`); without Numba the same is done in NumPy (`_plain.py`), more slowly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import NamedTuple

import numpy as np

from phalanx.mask import _plain
from phalanx.mask.dialect import Dialect


@dataclass(frozen=True, eq=False)
class Pile:
    """Many masks.

    Args:
        bounds: int64, `start, stop, start, stop, ..., END` of one mask after another.
        heads: int64 `(n + 1,)`, where each mask begins, and where the last one ends.
    """

    bounds: np.ndarray
    heads: np.ndarray

    @property
    def count(self) -> int:
        """Number of masks."""
        return len(self.heads) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Number of runs of each mask, int64 `(n,)`."""
        return (np.diff(self.heads) - 1) // 2

    def runs(self, index: int) -> np.ndarray:
        """Runs of one mask, int64 `(k, 2)`; a view."""
        return self.bounds[self.heads[index] : self.heads[index + 1] - 1].reshape(-1, 2)

    def take(self, first: int, end: int) -> Pile:
        """The masks `first` to `end`; bounds are shared."""
        return Pile(self.bounds, self.heads[first : end + 1])

    def pick(self, indices: np.ndarray) -> Pile:
        """The masks of these indices, in their order; copied."""
        lengths = np.diff(self.heads)[indices]
        heads = np.append(0, np.cumsum(lengths))
        source = np.repeat(self.heads[:-1][indices] - heads[:-1], lengths) + np.arange(heads[-1])
        return Pile(self.bounds[source], heads)


class Cells(NamedTuple):
    """Masks as they are written.

    Args:
        text: uint8.
        spans: int64 `(n, 2)`, where each cell begins and ends.
        dialect: how they were written.
    """

    text: np.ndarray
    spans: np.ndarray
    dialect: Dialect


class Workspace:
    """Memory that one thread works in again and again; fresh memory costs as much as parsing into it.

    What is laid out in it is overwritten after `clear`.
    """

    def __init__(self) -> None:
        self._bounds, self._out, self._text = (np.empty(0, kind) for kind in (np.int64, np.int64, np.uint8))
        self._fill = 0

    def clear(self) -> None:
        """Begin anew."""
        self._fill = 0

    def bounds(self, count: int) -> tuple[np.ndarray, int]:
        """An int64 array with room for so many entries more, and the first free one; see `keep`."""
        if self._fill + count > len(self._bounds):
            # What is laid out already stays in the old array.
            self._bounds, self._fill = np.empty(max(2 * count, 2 * len(self._bounds)), np.int64), 0
        return self._bounds, self._fill

    def keep(self, fill: int) -> None:
        """Entries of `bounds` before `fill` are taken."""
        self._fill = fill

    def out(self, count: int) -> np.ndarray:
        """An int64 array of at least so many entries, the same each time."""
        if count > len(self._out):
            self._out = np.empty(2 * count, np.int64)
        return self._out

    def text(self, count: int) -> np.ndarray:
        """A uint8 array of so many entries, the same each time."""
        if count > len(self._text):
            self._text = np.empty(2 * count, np.uint8)
        return self._text[:count]


@cache
def engine() -> ModuleType:
    """The compiled kernels, or the NumPy ones where Numba cannot be imported."""
    try:
        from phalanx.mask import _kernels
    except ImportError:
        return _plain
    return _kernels


def lines(text: np.ndarray, columns: tuple[int, int, int, int]) -> tuple[int, np.ndarray, bytes, bytes] | None:
    """Cells of the whole lines of a plain CSV.

    Args:
        text: uint8; begins with a line.
        columns: how many cells a line has, and which of them are image, class (-1: none) and mask.

    Returns:
        Where the last whole line ends, where each mask begins and ends, int64 `(n, 2)`, and the cells of image and
        class with a line end behind each. None when lines have another number of cells, or there are quotes, carriage
        returns or other characters than ASCII.
    """
    # Memory that is never written to costs nothing.
    spans = np.empty((len(text) // columns[0] + 1, 2), np.int64)
    images, labels = np.empty(len(text) + 1, np.uint8), np.empty(len(text) + 1, np.uint8)
    fills = np.empty(3, np.int64)
    end = engine().lines(text, np.array(columns, np.int64), spans, images, labels, fills)
    if end < 0:
        return None
    rows, of_images, of_labels = fills.tolist()
    return end, spans[:rows].copy(), images[:of_images].tobytes(), labels[:of_labels].tobytes()


def of(masks: Sequence[np.ndarray]) -> Pile:
    """A pile of masks given as runs."""
    heads = np.append(0, np.cumsum([2 * len(runs) + 1 for runs in masks])).astype(np.int64)
    bounds = np.full(heads[-1], _plain.END, np.int64)
    for head, runs in zip(heads.tolist(), masks, strict=False):
        bounds[head : head + 2 * len(runs)] = runs.ravel()
    return Pile(bounds, heads)


def join(piles: Sequence[Pile]) -> Pile:
    """The masks of several piles in one, each pile's masks from its first head on."""
    parts = [pile.bounds[pile.heads[0] : pile.heads[-1]] for pile in piles]
    starts = np.append(0, np.cumsum([len(part) for part in parts]))
    heads = [pile.heads[:-1] - pile.heads[0] + start for pile, start in zip(piles, starts.tolist(), strict=False)]
    return Pile(np.concatenate([np.empty(0, np.int64), *parts]), np.concatenate([*heads, starts[-1:]]).astype(np.int64))


def parse(
    text: np.ndarray, spans: np.ndarray, dialect: Dialect, limits: np.ndarray, space: Workspace | None = None
) -> tuple[Pile, np.ndarray]:
    """Masks of cells of text, in the dialect's own pixel order.

    Args:
        text: uint8.
        spans: int64 `(n, 2)`, where each cell begins and ends.
        dialect: how they were written.
        limits: int64 `(n,)`, pixels of each image.
        space: where the masks are laid out; in memory of their own if left out.

    Returns:
        The masks, and the indices of the cells that hold no run or are not well formed; their masks are empty.
    """
    # A number takes two characters, but for the last one; END one entry a mask. Eight are written at once.
    size = int((spans[:, 1] - spans[:, 0] + 1).sum()) // 2 + 2 * len(spans) + 8
    bounds, fill = space.bounds(size) if space else (np.empty(size, np.int64), 0)
    heads, faults = np.empty(len(spans) + 1, np.int64), np.empty(len(spans), np.uint8)
    fill = engine().parse(text, spans, dialect.base, dialect.relative, limits, bounds, fill, heads, faults)
    if space:
        space.keep(fill)
    return Pile(bounds if space else bounds[:fill], heads), np.flatnonzero(faults)


def vote(
    members: Sequence[Pile], weights: np.ndarray, needs: np.ndarray, group: np.ndarray, space: Workspace | None = None
) -> Pile:
    """The pixels that members of enough weight mark, in memory of their own; see `_plain.vote` for the arrays' shapes.

    Args:
        members: one pile each, of as many masks.
        weights: int64 `(groups, members)`.
        needs: int64 `(groups,)`.
        group: int64 `(masks,)`.
        space: memory to work in; the members may lie in it.
    """
    bounds, heads = _together(members)
    size = int(sum(pile.heads[-1] - pile.heads[0] for pile in members))
    out = space.out(size) if space else np.empty(size, np.int64)
    ends = np.empty(heads.shape[1], np.int64)
    fill = engine().vote(bounds, heads, weights, needs, group, out, ends)
    return Pile(out[:fill].copy() if space else out[:fill], ends)


def _together(members: Sequence[Pile]) -> tuple[np.ndarray, np.ndarray]:
    """Bounds and heads of all members in one array; nothing is copied where they are in one already."""
    if all(pile.bounds is members[0].bounds for pile in members):
        return members[0].bounds, np.stack([pile.heads for pile in members])
    starts = np.cumsum([0, *(pile.heads[-1] - pile.heads[0] for pile in members)])
    heads = np.stack([pile.heads - pile.heads[0] + start for pile, start in zip(members, starts, strict=False)])
    return np.concatenate([pile.bounds[pile.heads[0] : pile.heads[-1]] for pile in members]), heads


def overlap(a: Pile, b: Pile) -> np.ndarray:
    """Pixels in both masks, in the first and in the second, of each pair: int64 `(n, 3)`."""
    shared, areas = np.empty(a.count, np.int64), np.empty((a.count, 2), np.int64)
    engine().overlap(a.bounds, a.heads, b.bounds, b.heads, shared, areas)
    return np.concatenate([shared[:, None], areas], 1)


def measure(a: Cells, b: Cells, limits: np.ndarray, space: Workspace) -> np.ndarray | None:
    """What `overlap` gives of the masks that `parse` gives, `(n, 3)`, without laying them out.

    Args:
        a: the first masks.
        b: the second ones, as many.
        limits: int64 `(n,)`, pixels of each image.
        space: memory to work in.

    Returns:
        None when a cell may be at fault or is written in no usual way; `parse` tells.
    """
    if a.dialect.relative or b.dialect.relative:
        return None
    bounds, _ = space.bounds((len(a.text) + len(b.text)) // 2 + 16)
    counts = np.empty((len(a.spans), 3), np.int64)
    bases, blanks = (
        np.array([a.dialect.base, b.dialect.base]),
        np.array(["" in a.dialect.empties, "" in b.dialect.empties]),
    )
    usual = engine().measure(a.text, a.spans, b.text, b.spans, bases, blanks, limits, bounds, counts)
    return counts if usual else None


def write(pile: Pile, dialect: Dialect) -> tuple[np.ndarray, np.ndarray]:
    """The text of every mask.

    Returns:
        uint8 of all texts, and int64 `(n + 1,)`, where each begins. A mask without a pixel has no text: what stands for
        it is the caller's to write.
    """
    entries = pile.bounds[pile.heads[0] : pile.heads[-1]]
    # END is no number to be written; the others decide how many digits there are.
    largest = int(entries[entries < _plain.END].max(initial=0)) + 1
    out = np.empty(len(entries) * (len(str(largest)) + 1), np.uint8)
    ends = np.empty(len(pile.heads), np.int64)
    fill = engine().write(pile.bounds, pile.heads, dialect.base, dialect.relative, out, ends)
    return out[:fill], ends
