"""Even: the index of a plain file whose every line has the cells of its header, as nearly all files are.

Commas and line ends of a block are found at once, in a loop that looks at each byte once and lets go of the
interpreter, so that several files are indexed at a time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import repeat
from pathlib import Path
from typing import BinaryIO

import numpy as np

from phalanx.mask import pile, table
from phalanx.mask.dialect import Dialect

# Bytes that are read at a time: they stay in the cache until they are looked at.
_BLOCK = 1 << 21


class _UnevenError(Exception):
    """The file has to be indexed line by line."""


def index(file: BinaryIO, path: Path, dialect: Dialect) -> tuple[list[tuple[str, str | None]], np.ndarray] | None:
    """Keys of the rows, and where in the file each mask begins and ends, int64 `(n, 2)`.

    None when a line is blank, ragged, longer than a block or ends in a carriage return, the last one has no end, or a
    cell is quoted or not ASCII: such files are indexed line by line.

    Args:
        file: open.
        path: its name.
        dialect: how it is written.

    Raises:
        SubmissionError: a column is missing or there twice.
    """
    try:
        return None if dialect.joint is not None else _index(file, path, dialect)
    except _UnevenError:
        return None


def _index(file: BinaryIO, path: Path, dialect: Dialect) -> tuple[list[tuple[str, str | None]], np.ndarray] | None:
    image = label = mask = width = 0
    images: list[bytes] = []
    labels: list[bytes] = []
    spans = [np.empty((0, 2), np.int64)]
    for block, marks, origin in _blocks(file):
        # The header is the first line of the first block.
        first = 0 if origin else 1
        if first:
            header = block[: np.argmax(block == 10)].tobytes().decode().split(",")
            if header == [""]:
                return None
            width = len(header)
            image, label, mask = table.columns(header, dialect, path)
        cells = _cells(block, marks, width)[first:]
        images.append(pile.gather(block, cells[:, image]))
        labels.append(pile.gather(block, cells[:, label]) if label >= 0 else b"")
        spans.append(cells[:, mask] + origin)
    found = np.concatenate(spans)
    if not len(found):
        return None
    classes: Iterable[str | None] = _texts(labels) if label >= 0 else repeat(None, len(found))
    return list(zip(_texts(images), classes, strict=True)), found


def _blocks(file: BinaryIO) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Whole lines, uint8, where in them commas and line ends are, and where in the file they begin.

    The lines are overwritten by the next ones.

    Raises:
        _UnevenError: quotes, carriage returns, other characters than ASCII, a line without an end.
    """
    buffer = np.empty(2 * _BLOCK, np.uint8)
    origin = held = 0
    while count := os.preadv(file.fileno(), [memoryview(buffer.data)[held : held + _BLOCK]], origin + held):
        held += count
        marks = pile.separators(buffer[:held])
        lines = np.flatnonzero(buffer[marks] == 10) if marks is not None else ()
        if marks is None or not len(lines):
            raise _UnevenError
        last = int(lines[-1])
        end = int(marks[last]) + 1
        yield buffer[:end], marks[: last + 1], origin
        # What is left has no line end, so it is shorter than what was read.
        buffer[: held - end] = buffer[end:held].copy()
        origin, held = origin + end, held - end
    if held:
        raise _UnevenError


def _cells(block: np.ndarray, marks: np.ndarray, width: int) -> np.ndarray:
    """Where each cell of whole lines begins and ends, int64 `(lines, width, 2)`.

    Raises:
        _UnevenError: not all lines have `width` cells.
    """
    if len(marks) % width:
        raise _UnevenError
    ends = marks.reshape(-1, width)
    line_ends = block[ends] == 10
    if line_ends[:, :-1].any() or not line_ends[:, -1].all():
        raise _UnevenError
    starts = np.append(0, marks[:-1] + 1).reshape(-1, width)
    return np.stack([starts, ends], -1)


def _texts(lines: list[bytes]) -> list[str]:
    return b"".join(lines).decode().split("\n")[:-1]
