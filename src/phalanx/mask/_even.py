"""Even: the index of a plain file whose every line has the cells of its header, as nearly all files are.

Commas and line ends of a block are found at once, in a loop that looks at each byte once and lets go of the
interpreter, so that several files are indexed at a time.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np

from phalanx.mask import pile, table
from phalanx.mask._names import Names
from phalanx.mask.dialect import Dialect

# Bytes that are read at a time: they stay in the cache until they are looked at.
_BLOCK = 1 << 20


class _UnevenError(Exception):
    """The file has to be indexed line by line."""


def index(file: BinaryIO, path: Path, dialect: Dialect) -> tuple[Names, np.ndarray] | None:
    """Names of the rows, and where in the file each mask begins and ends, int64 `(n, 2)`.

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


def _index(file: BinaryIO, path: Path, dialect: Dialect) -> tuple[Names, np.ndarray] | None:
    images: list[bytes] = []
    labels: list[bytes] = []
    spans = [np.empty((0, 2), np.int64)]
    columns = None
    buffer = np.empty(2 * _BLOCK, np.uint8)
    origin = held = 0
    while count := os.preadv(file.fileno(), [memoryview(buffer.data)[held : held + _BLOCK]], origin + held):
        held += count
        columns = columns or _columns(buffer[:held], path, dialect)
        cells = pile.lines(buffer[:held], columns)
        if cells is None or not cells[0]:
            raise _UnevenError
        end = cells[0]
        spans.append(cells[1] + origin)
        images.append(cells[2])
        labels.append(cells[3])
        # What is left has no line end, so it is shorter than what was read.
        buffer[: held - end] = buffer[end:held].copy()
        origin, held = origin + end, held - end
    found = np.concatenate(spans)[1:]
    if held or not len(found):
        raise _UnevenError
    # The header's cells come first.
    names, classes = (b"".join(cells).partition(b"\n")[2] for cells in (images, labels))
    return Names(names, None if dialect.columns.label is None else classes), found


def _columns(text: np.ndarray, path: Path, dialect: Dialect) -> tuple[int, int, int, int]:
    """How many cells the header has, and which of them are image, class and mask."""
    content = text.tobytes()
    header = content[: max(content.find(b"\n"), 0)]
    if not header or not header.isascii() or b'"' in header or b"\r" in header:
        raise _UnevenError
    cells = header.decode().split(",")
    return len(cells), *table.columns(cells, dialect, path)
