"""Runs: masks as sorted, disjoint, non-touching half-open intervals of row-major pixel indices, int64 `(n, 2)`.

Pixel `(y, x)` of an image of size `(height, width)` has index `y * width + x`; a run may go on from the end of a row to
the start of the next. One mask has one such array, so equal masks have equal runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def empty() -> np.ndarray:
    """Runs of a mask without a pixel."""
    return np.empty((0, 2), np.int64)


def check(runs: np.ndarray, size: tuple[int, int]) -> None:
    """Hold an array to the definition of runs in an image of `size`.

    Raises:
        ValueError: wrong shape or dtype, empty, unsorted, overlapping or touching intervals, pixels outside the image.
    """
    if not isinstance(runs, np.ndarray) or runs.ndim != 2 or runs.shape[1] != 2 or runs.dtype != np.int64:
        seen = f"{runs.dtype} {runs.shape}" if isinstance(runs, np.ndarray) else type(runs).__name__
        raise ValueError(f"runs must be int64 (n, 2): {seen}. Build them with phalanx.mask.runs")
    if not len(runs):
        return
    rising = (runs[:, 0] < runs[:, 1]).all() and (runs[1:, 0] > runs[:-1, 1]).all()
    if not rising:
        raise ValueError(
            f"runs must be sorted, disjoint and apart: {runs[:4].tolist()} ... Pass them through union([...])"
        )
    if runs[0, 0] < 0 or runs[-1, 1] > size[0] * size[1]:
        raise ValueError(
            f"runs leave the image: pixels {runs[0, 0]} to {runs[-1, 1] - 1} in {size[0]} x {size[1]}. Check the size"
        )


def from_mask(mask: np.ndarray) -> np.ndarray:
    """Runs of the non-zero pixels of a `(h, w)` mask; looks closely only at the box that holds them."""
    if mask.ndim != 2:
        raise ValueError(f"a mask has two axes: {mask.shape}. Take one plane of it")
    mask = mask if mask.dtype == np.bool_ else mask != 0
    rows = np.flatnonzero(mask.any(1))
    if not len(rows):
        return empty()
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(mask[top:bottom].any(0))
    left, right = int(columns[0]), int(columns[-1]) + 1
    return from_box(mask[top:bottom, left:right], (top, left), mask.shape)


def from_box(crop: np.ndarray, top_left: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Runs of a mask given as a crop.

    Args:
        crop: boolean `(height, width)` of the crop; everything outside it is background.
        top_left: `(y, x)` of the crop's first pixel in the image.
        size: `(height, width)` of the image.
    """
    height, width = crop.shape
    # One cell of background before the crop and one behind each of its rows: no run wraps, changes come in pairs.
    cells = np.zeros(height * (width + 1) + 1, np.bool_)
    cells[1:].reshape(height, width + 1)[:, :width] = crop
    y, x = np.divmod(np.flatnonzero(cells[1:] != cells[:-1]), width + 1)
    runs = ((y + top_left[0]) * size[1] + (x + top_left[1])).reshape(-1, 2)
    return _join(runs) if width == size[1] else runs


def to_mask(runs: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The boolean `(height, width)` mask of runs."""
    mask = np.zeros(size, np.bool_)
    _paint(mask.reshape(-1), runs)
    return mask


def to_box(runs: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    """The boolean crop that just holds the mask, and its `(top, left)`; a crop of size (0, 0) without a pixel."""
    parts = split_rows(runs, size)
    top, left, bottom, right = box(parts, size)
    crop = np.zeros((bottom - top, right - left), np.bool_)
    y, x = np.divmod(parts[:, 0], size[1])
    starts = (y - top) * (right - left) + x - left
    _paint(crop.reshape(-1), np.stack([starts, starts + parts[:, 1] - parts[:, 0]], 1))
    return crop, (top, left)


def area(runs: np.ndarray) -> int:
    """Number of pixels."""
    return int((runs[:, 1] - runs[:, 0]).sum())


def overlap(a: np.ndarray, b: np.ndarray) -> int:
    """Number of pixels in both masks; nothing is painted."""
    if not len(a) or not len(b):
        return 0
    before = np.zeros(len(b) + 1, np.int64)
    np.cumsum(b[:, 1] - b[:, 0], out=before[1:])
    # Pixels of b below each end of a: all of the runs begun by then, less what of the last one is still to come.
    begun = np.searchsorted(b[:, 0], a, "right")
    rest = np.maximum(b[begun - 1, 1] - a, 0)
    covered = before[begun] - np.where(begun > 0, rest, 0)
    return int((covered[:, 1] - covered[:, 0]).sum())


def intersect(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Runs of the pixels in both masks."""
    if not len(a) or not len(b):
        return empty()
    first = np.searchsorted(b[:, 1], a[:, 0], "right")
    count = np.maximum(np.searchsorted(b[:, 0], a[:, 1], "left") - first, 0)
    of_a = np.repeat(np.arange(len(a)), count)
    of_b = np.arange(len(of_a)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    return np.stack([np.maximum(a[of_a, 0], b[of_b, 0]), np.minimum(a[of_a, 1], b[of_b, 1])], 1)


def subtract(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Runs of the pixels of `a` that are not in `b`."""
    if not len(a) or not len(b):
        return a
    # What b leaves free: the gaps between its runs, and all before and behind them.
    free = np.concatenate([[0], b.ravel(), [max(a[-1, 1], b[-1, 1])]]).reshape(-1, 2)
    return intersect(a, free)


def union(masks: Sequence[np.ndarray]) -> np.ndarray:
    """Runs of the pixels in any of the masks; also brings intervals in any order, overlapping or touching, in order."""
    pieces = np.concatenate([empty(), *masks])
    if not len(pieces):
        return pieces
    pieces = pieces[np.argsort(pieces[:, 0], kind="stable")]
    reach = np.maximum.accumulate(pieces[:, 1])
    first = np.flatnonzero(np.concatenate([[True], pieces[1:, 0] > reach[:-1]]))
    last = np.append(first[1:], len(pieces)) - 1
    return np.stack([pieces[first, 0], reach[last]], 1)


def box(runs: np.ndarray, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The smallest `(top, left, bottom, right)` around the mask, the last two exclusive; four zeros without a pixel."""
    if not len(runs):
        return 0, 0, 0, 0
    width = size[1]
    first, last = runs[:, 0], runs[:, 1] - 1
    top, bottom = int(first[0] // width), int(last[-1] // width) + 1
    if (first // width != last // width).any():
        return top, 0, bottom, width
    return top, int((first % width).min()), bottom, int((last % width).max()) + 1


def transpose(runs: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Runs of the transposed picture: its row-major indices are the column-major ones `x * height + y` of this one.

    Its own inverse: `transpose(transpose(runs, (h, w)), (w, h))` is `runs`.
    """
    crop, (top, left) = to_box(runs, size)
    return from_box(crop.T, (left, top), (size[1], size[0])) if len(runs) else empty()


def split_rows(runs: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The same pixels as intervals that end with their row: what wraps is cut, so neighbours may touch."""
    width = size[1]
    first, last = runs[:, 0] // width, (runs[:, 1] - 1) // width
    count = last - first + 1
    if (count == 1).all():
        return runs
    of = np.repeat(np.arange(len(runs)), count)
    row = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count) + first[of]
    return np.stack([np.maximum(runs[of, 0], row * width), np.minimum(runs[of, 1], (row + 1) * width)], 1)


def _join(runs: np.ndarray) -> np.ndarray:
    """Sorted disjoint intervals with those that touch made one."""
    apart = runs[1:, 0] != runs[:-1, 1]
    if apart.all():
        return runs
    return np.stack([runs[np.append(True, apart), 0], runs[np.append(apart, True), 1]], 1)


def _paint(cells: np.ndarray, runs: np.ndarray) -> None:
    # A slice at a time costs 0.1 us a run and touches no other page; repeat or cumsum go over the whole frame.
    for start, stop in runs.tolist():
        cells[start:stop] = True
