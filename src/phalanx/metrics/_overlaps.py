"""Overlaps: pixels that the masks of several sources share, key by key, slice by slice, on every processor."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from phalanx.core import parallel
from phalanx.core.errors import SubmissionError
from phalanx.mask import index, pile
from phalanx.mask.index import Index
from phalanx.mask.pile import Pile, Workspace
from phalanx.mask.sheet import UNBOUNDED, Key

# Text of one slice over all sources, about: large enough to hide the cost of a slice, small enough for the caches.
_SLICE_BYTES = 2_000_000


class Source(Protocol):
    """Masks by key, such as a `mask.index.Index`. All sources of a job count pixels in the same order."""

    name: str
    keys: list[Key]

    @property
    def together(self) -> int:
        """How many keys in a row are cheaper read at once (the classes of an image)."""
        ...

    @property
    def bytes(self) -> int:
        """Size of what is read."""
        ...

    def follow(self, keys: list[Key]) -> None:
        """Bring the masks in the order of `keys`; others are left out."""
        ...

    def sizes(self, first: int, end: int) -> Sequence[tuple[int, int]] | None:
        """`(height, width)` of the images of a range of keys, where the source knows them."""
        ...

    def masks(
        self, first: int, end: int, sizes: Sequence[tuple[int, int]] | None, space: Workspace | None = None
    ) -> Pile:
        """The masks of a range of keys, in images of these sizes."""
        ...


def align(sources: Sequence[Source], partial: bool = False) -> list[str]:
    """Give all sources the keys of the first, in one order.

    Args:
        sources: the one that says which keys there must be, then the others.
        partial: leave out what a source lacks, instead of refusing.

    Returns:
        What was left out, a sentence a source.

    Raises:
        SubmissionError: keys that are missing or too many, with the first of them; or no key in common.
    """
    left = [] if partial else _refuse(sources)
    keys = max(sources, key=lambda source: source.together).keys
    if partial:
        shared = set.intersection(*(set(source.keys) for source in sources))
        if not shared:
            seen = " and ".join(f"{source.name} has {index.text(source.keys[0])}" for source in sources)
            raise SubmissionError("no row is in every source", seen, "check images, classes and the dialect")
        counts = [(source.name, len(source.keys) - len(shared)) for source in sources]
        left = [f"{count} of {len(shared) + count} rows of {name}" for name, count in counts if count]
        keys = [key for key in keys if key in shared] if len(keys) > len(shared) else keys
    for source in sources:
        source.follow(keys)
    return left


def _refuse(sources: Sequence[Source]) -> list[str]:
    wanted = sources[0]
    for source in sources[1:]:
        if source.keys == wanted.keys:
            continue
        mine, theirs = set(source.keys), set(wanted.keys)
        missing = [key for key in wanted.keys if key not in mine]
        extra = [key for key in source.keys if key not in theirs]
        parts = [f"{source.name} lacks {_first(missing)} of {wanted.name}"] if missing else []
        parts += [f"{source.name} has {_first(extra)} more than {wanted.name}"] if extra else []
        if parts:
            raise SubmissionError("the rows are not the same", "; ".join(parts), "compare files of the same images")
    return []


def _first(keys: Sequence[Key]) -> str:
    return f"{len(keys)} row{'s' * (len(keys) != 1)} ({index.text(keys[0])}{', ...' * (len(keys) > 1)})"


def parts(sources: Sequence[Source], size: int = _SLICE_BYTES) -> list[tuple[int, int]]:
    """Ranges of keys to be worked on one by one, of about `size` bytes over all sources."""
    count = len(sources[0].keys)
    together = max(source.together for source in sources)
    step = max(1, size * count // max(1, sum(source.bytes for source in sources))) if together == 1 else together
    # Even shares: a short last slice would leave a processor without work.
    step = math.ceil(count / max(1, math.ceil(count / step))) if together == 1 else step
    return [(first, min(first + step, count)) for first in range(0, count, step)]


def counts(
    sources: Sequence[Source],
    pairs: Sequence[tuple[int, int]],
    ranges: Sequence[tuple[int, int]],
    size: tuple[int, int] | None = None,
) -> Iterator[np.ndarray]:
    """Counts of each range of keys, in order: int64 `(pairs, keys, 3)`, pixels in both, in the first, in the second.

    Every source is read once a range. `metrics.dice` and `metrics.iou` make scores of such counts.

    Args:
        sources: aligned.
        pairs: which sources to hold against each other.
        ranges: what `parts` gives.
        size: `(height, width)` of every image, where no source knows them.

    Raises:
        SubmissionError: masks that cannot be read, or sources that know different sizes of an image.
    """
    of_thread = threading.local()

    def work(part: tuple[int, int]) -> np.ndarray:
        if not hasattr(of_thread, "spaces"):
            of_thread.spaces = [Workspace() for _ in sources]
        for space in of_thread.spaces:
            space.clear()
        sizes = _sizes(sources, part, size)
        if len(sources) == 2 and len(pairs) == 1:
            found = _measured([sources[place] for place in pairs[0]], part, sizes, of_thread.spaces)
            if found is not None:
                return found[None]
        piles = [source.masks(*part, sizes, space) for source, space in zip(sources, of_thread.spaces, strict=True)]
        return np.stack([pile.overlap(piles[a], piles[b]) for a, b in pairs])

    return parallel.ordered(work, ranges)


def _measured(
    pair: Sequence[Source],
    part: tuple[int, int],
    sizes: Sequence[tuple[int, int]] | None,
    spaces: Sequence[Workspace],
) -> np.ndarray | None:
    """Counts `(keys, 3)` of two sources straight from their text; None where that is not to be had."""
    if not (isinstance(pair[0], Index) and isinstance(pair[1], Index)):
        return None
    first, second = pair[0].cells(*part, spaces[0]), pair[1].cells(*part, spaces[1])
    if first is None or second is None:
        return None
    count = part[1] - part[0]
    limits = np.full(count, UNBOUNDED) if sizes is None else np.array([height * width for height, width in sizes])
    return pile.measure(first, second, limits, spaces[0])


def _sizes(
    sources: Sequence[Source], part: tuple[int, int], size: tuple[int, int] | None
) -> Sequence[tuple[int, int]] | None:
    known = [(source, found) for source in sources if (found := source.sizes(*part)) is not None]
    if not known:
        return None if size is None else [size] * (part[1] - part[0])
    first, sizes = known[0]
    for source, other in [*known[1:], *([(None, [size] * len(sizes))] if size else [])]:
        for key, mine, theirs in zip(first.keys[slice(*part)], sizes, other, strict=True):
            if tuple(mine) != tuple(theirs):
                name = "--size" if source is None else source.name
                seen = f"{key[0]} is {mine[0]}x{mine[1]} in {first.name}, {theirs[0]}x{theirs[1]} in {name}"
                raise SubmissionError("an image has two sizes", seen, "compare predictions of the same images")
    return sizes


class Grid:
    """Keys as a table, an image a row and a class a column.

    Args:
        keys: image and class; not every image needs to have every class.
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        images, labels = [image for image, _ in keys], [label for _, label in keys]
        self.images, self.labels = list(dict.fromkeys(images)), list(dict.fromkeys(labels))
        row = {image: place for place, image in enumerate(self.images)}
        column = {label: place for place, label in enumerate(self.labels)}
        self.rows = np.fromiter(map(row.__getitem__, images), np.int64, len(keys))
        self.columns = np.fromiter(map(column.__getitem__, labels), np.int64, len(keys))

    def table(self, values: np.ndarray) -> np.ndarray:
        """One number a key as a float64 table `(images, classes)`; NaN where there is no such key."""
        table = np.full((len(self.images), len(self.labels)), np.nan)
        table[self.rows, self.columns] = values
        return table
