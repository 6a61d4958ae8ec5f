"""The kernels said in NumPy: used where Numba cannot be had, and what the tests hold the compiled ones to.

Many masks lie in one flat int64 array: `start, stop, start, stop, ..., END` of each, one mask after another. `heads`
says where each begins, with one entry more for where the last one ends.
"""

from __future__ import annotations

import numpy as np

from phalanx.mask import runs

# Behind each mask: larger than every pixel index, small enough for sums to stay within int64.
END = 2**62

_ALLOWED = b"0123456789 "


def lines(
    text: np.ndarray, columns: np.ndarray, spans: np.ndarray, images: np.ndarray, labels: np.ndarray, fills: np.ndarray
) -> int:
    """Cells of the whole lines of a plain CSV.

    Args:
        text: uint8; begins with a line.
        columns: int64, how many cells a line has, and which of them are image, class (-1: none) and mask.
        spans: int64 `(n, 2)`, written: where each mask begins and ends.
        images: uint8, written: the cell of the image and a line end, for each line.
        labels: the same for the class.
        fills: int64 `(3,)`, written: how many rows of `spans`, entries of `images` and of `labels` are taken.

    Returns:
        Where the last whole line ends; -1 when lines have another number of cells, or there are quotes, carriage
        returns or other characters than ASCII anywhere in the text.
    """
    content = text.tobytes()
    width, image, label, mask = columns.tolist()
    found = [line.split(b",") for line in content.split(b"\n")]
    rest = found.pop()
    if not content.isascii() or b'"' in content or b"\r" in content:
        return -1
    if any(len(cells) != width for cells in found) or len(rest) > width:
        return -1
    begin = 0
    for row, cells in enumerate(found):
        at = begin + sum(map(len, cells[:mask])) + mask
        spans[row] = at, at + len(cells[mask])
        begin += sum(map(len, cells)) + width
    names = [b"".join(cells[place] + b"\n" for cells in found) if place >= 0 else b"" for place in (image, label)]
    for out, name in zip((images, labels), names, strict=True):
        out[: len(name)] = np.frombuffer(name, np.uint8)
    fills[:] = len(found), *map(len, names)
    return begin


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
    """Parse cells of text to bounds, counted from 0. Runs that touch become one.

    Args:
        text: uint8, the file or a part of it.
        spans: int64 `(rows, 2)`, where each cell begins and ends.
        base: the number of the first pixel.
        relative: whether starts are counted from the end of the run before.
        limits: int64 `(rows,)`, pixels of each image.
        bounds: int64, written from `fill` on; a cell of n bytes takes at most (n + 1) / 2 + 1 entries.
        fill: the first free entry of `bounds`.
        heads: int64 `(rows + 1,)`, written.
        faults: uint8 `(rows,)`, written: 1 for a cell that holds no run or is not well formed; its mask is left empty.

    Returns:
        The first free entry.
    """
    for row, (start, stop) in enumerate(spans.tolist()):
        heads[row] = fill
        found = _runs(text[start:stop].tobytes(), base, relative, int(limits[row]))
        faults[row] = found is None
        if found is not None:
            apart = found[1:, 0] != found[:-1, 1]
            merged = np.stack([found[np.append(True, apart), 0], found[np.append(apart, True), 1]], 1).ravel()
            bounds[fill : fill + len(merged)] = merged
            fill += len(merged)
        bounds[fill] = END
        fill += 1
    heads[len(spans)] = fill
    return fill


def _runs(cell: bytes, base: int, relative: bool, limit: int) -> np.ndarray | None:
    tokens = cell.split(b" ") if not cell.translate(None, _ALLOWED) else [b"?"]
    tokens = [token for token in tokens if token]
    if not tokens or len(tokens) % 2 or max(map(len, tokens)) > 18 or not all(map(bytes.isdigit, tokens)):
        return None
    starts, lengths = np.array(tokens, np.int64).reshape(-1, 2).T
    starts = starts - base
    if relative:
        starts = np.cumsum(starts) + np.cumsum(lengths) - lengths
    stops = starts + lengths
    sound = (lengths > 0).all() and (starts >= np.append(0, stops[:-1])).all() and stops[-1] <= limit
    return np.stack([starts, stops], 1) if sound else None


def vote(
    bounds: np.ndarray,
    heads: np.ndarray,
    weights: np.ndarray,
    needs: np.ndarray,
    group: np.ndarray,
    out: np.ndarray,
    ends: np.ndarray,
) -> int:
    """The pixels that enough weight marks, row by row.

    Args:
        bounds: int64, the members' masks.
        heads: int64 `(members, rows + 1)`.
        weights: int64 `(groups, members)`, not negative.
        needs: int64 `(groups,)`, the weight from which on a pixel is kept; above 0.
        group: int64 `(rows,)`, which weights a row takes.
        out: int64, written; never needs more entries than the members have.
        ends: int64 `(rows + 1,)`, the heads of `out`, written.

    Returns:
        The number of entries written.
    """
    fill = 0
    for row in range(heads.shape[1] - 1):
        ends[row] = fill
        parts = [bounds[head[row] : head[row + 1] - 1] for head in heads]
        steps = [
            np.where(np.arange(len(part)) % 2, -1, 1) * weight
            for part, weight in zip(parts, weights[group[row]], strict=True)
        ]
        places, of = np.unique(np.concatenate(parts), return_inverse=True)
        change = np.zeros(len(places), np.int64)
        np.add.at(change, of, np.concatenate(steps))
        kept = np.cumsum(change) >= needs[group[row]]
        turns = places[kept != np.append(False, kept[:-1])]
        out[fill : fill + len(turns)] = turns
        fill += len(turns)
        out[fill] = END
        fill += 1
    ends[heads.shape[1] - 1] = fill
    return fill


def overlap(
    a: np.ndarray, a_heads: np.ndarray, b: np.ndarray, b_heads: np.ndarray, shared: np.ndarray, areas: np.ndarray
) -> None:
    """Pixels in both masks of each row into `shared` `(rows,)`, in either into `areas` `(rows, 2)`; all int64."""
    for row in range(len(shared)):
        first = a[a_heads[row] : a_heads[row + 1] - 1].reshape(-1, 2)
        second = b[b_heads[row] : b_heads[row + 1] - 1].reshape(-1, 2)
        shared[row] = runs.overlap(first, second)
        areas[row] = runs.area(first), runs.area(second)


def measure(
    text: np.ndarray, spans: np.ndarray, other: np.ndarray, other_spans: np.ndarray, bases: np.ndarray,
    blanks: np.ndarray, limits: np.ndarray, bounds: np.ndarray, counts: np.ndarray,
) -> bool:  # fmt: skip
    """Pixels of two masks of each row, read from their cells: in both, in the first, in the second.

    Args:
        text: uint8.
        spans: int64 `(rows, 2)`, where each cell begins and ends in `text`.
        other: uint8, the text of the second masks.
        other_spans: the same for `other`.
        bases: int64 `(2,)`, the number of the first pixel.
        blanks: bool `(2,)`, whether a cell without a character is a mask without a pixel.
        limits: int64 `(rows,)`, pixels of each image.
        bounds: int64, room to work in: for n bytes of both cells (n + 1) / 2 + 10 entries.
        counts: int64 `(rows, 3)`, written.

    Returns:
        False when a cell may be at fault, or there is no room; `parse` tells.
    """
    for row, (first, second) in enumerate(zip(spans.tolist(), other_spans.tolist(), strict=True)):
        cells = [text[slice(*first)].tobytes(), other[slice(*second)].tobytes()]
        found = [
            np.empty((0, 2), np.int64) if blank and not cell else _runs(cell, int(base), False, int(limits[row]))
            for cell, base, blank in zip(cells, bases, blanks, strict=True)
        ]
        if found[0] is None or found[1] is None:
            return False
        counts[row] = runs.overlap(found[0], found[1]), runs.area(found[0]), runs.area(found[1])
    return True


def write(bounds: np.ndarray, heads: np.ndarray, base: int, relative: bool, out: np.ndarray, ends: np.ndarray) -> int:
    """The text of each mask.

    Args:
        bounds: int64, the masks.
        heads: int64 `(rows + 1,)`.
        base: the number of the first pixel.
        relative: whether starts are counted from the end of the run before.
        out: uint8, written; a mask takes at most 20 bytes an entry.
        ends: int64 `(rows + 1,)`, where each text begins, written.

    Returns:
        The number of bytes written.
    """
    at = 0
    for row in range(len(heads) - 1):
        ends[row] = at
        starts, stops = bounds[heads[row] : heads[row + 1] - 1].reshape(-1, 2).T
        origin = np.append(0, stops[:-1]) if relative and len(stops) else 0
        pairs = np.stack([starts - origin + base, stops - starts], 1)
        text = " ".join(map(str, pairs.ravel().tolist())).encode()
        out[at : at + len(text)] = np.frombuffer(text, np.uint8)
        at += len(text)
    ends[len(heads) - 1] = at
    return at
