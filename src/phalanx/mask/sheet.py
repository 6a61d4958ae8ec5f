"""Sheets: a CSV of masks as an index of its rows; the masks' text stays in the file until it is asked for.

A file is read once in blocks to find its rows and keys. Its cells are then read slice by slice, so a file larger than
memory can be worked on. Plain files (no quotes, ASCII) are indexed straight from their bytes; any other goes through
the csv module, its masks through a temporary file.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np

from phalanx.core.errors import SubmissionError
from phalanx.mask import _even, pile, rle, table
from phalanx.mask._names import Names
from phalanx.mask.dialect import Dialect
from phalanx.mask.pile import Pile, Workspace

Key = tuple[str, str | None]
# Line, cells of image and class, and where the mask begins and ends in the file.
Record = tuple[int, str, str | None, int, int]

_BLOCK = 1 << 22
# Pixels of an image whose size nobody told; sums stay within int64.
UNBOUNDED = 2**61


class Row(NamedTuple):
    """One record of a file; every cell is text as it stands there.

    Args:
        line: the line of the file it starts on, the header's being 1.
        image: the image's key.
        label: the class, None in a dialect without classes.
        rle: the mask's text, not yet looked at.
    """

    line: int
    image: str
    label: str | None
    rle: str


class Sheet:
    """A CSV of masks.

    Args:
        path: the file.
        dialect: how it is written.

    Raises:
        SubmissionError: what `table.records` and `table.positions` refuse, no record behind the header, or a record
            with another number of cells than the header.
    """

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self.path, self.dialect = path, dialect
        self._file = _opened(path)
        try:
            even = _even.index(self._file, path, dialect)
            if even is None:
                self._file.seek(0)
                self._index()
            else:
                self.names, self.spans = even
                self.lines = np.arange(2, len(self.spans) + 2)
        except BaseException:
            self._file.close()
            raise

    def _index(self) -> None:
        """Line by line, or through the csv module."""
        try:
            records = list(_plain_records(self._file, self.path, self.dialect))
        except _NotPlainError:
            self._file.close()
            self._file, records = _copied(self.path, self.dialect)
        if not records:
            raise SubmissionError("the file has a header and nothing else", self.path, "name the file with the masks")
        self.names = Names.of([_names(record, self.path, self.dialect) for record in records])
        self.lines = np.array([record[0] for record in records], np.int64)
        self.spans = np.array([record[3:] for record in records], np.int64)

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def keys(self) -> list[Key]:
        """Image and class of each row."""
        return self.names.keys

    def __enter__(self) -> Sheet:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def text(self, row: int) -> str:
        """A row's mask as it stands in the file."""
        text, ((start, stop),) = self.load(np.array([row]))
        return text[start:stop].tobytes().decode()

    def rows(self) -> Iterator[Row]:
        """Every record, in order."""
        for row, (image, label) in enumerate(self.keys):
            yield Row(int(self.lines[row]), image, label, self.text(row))

    def where(self, row: int) -> str:
        """File, line and key of a row, for an error's line."""
        image, label = self.keys[row]
        return f"{self.path}, line {self.lines[row]} ({image}{'' if label is None else f', {label}'})"

    def load(self, rows: np.ndarray, space: Workspace | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The text of these rows, uint8, and where in it each mask begins and ends, int64 `(n, 2)`.

        Raises:
            SubmissionError: the file was shortened since it was opened.
        """
        spans = self.spans[rows]
        # Rows one after the other, as nearly always, are neither sorted nor sparse.
        together = (rows[1:] == rows[:-1] + 1).all()
        low, high = (spans[0, 0], spans[-1, 1]) if together else (spans[:, 0].min(), spans[:, 1].max())
        low, high = int(low), int(high)
        if together or high - low <= 2 * int((spans[:, 1] - spans[:, 0]).sum()) + _BLOCK:
            # The text begins where no number does: the kernels look back over eight characters.
            low = max(low - 8, 0)
            text = space.text(high - low) if space else np.empty(high - low, np.uint8)
            self._read(memoryview(text.data), low)
            return text, spans - low
        lengths = spans[:, 1] - spans[:, 0]
        stops = np.cumsum(lengths)
        text = np.empty(int(stops[-1]), np.uint8)
        found = np.stack([stops - lengths, stops], 1)
        for (low, _), (start, stop) in zip(spans.tolist(), found.tolist(), strict=True):
            self._read(memoryview(text.data)[start:stop], low)
        return text, found

    def _read(self, into: memoryview, start: int) -> None:
        while len(into):
            count = os.preadv(self._file.fileno(), [into], start)
            if not count:
                raise SubmissionError("the file became shorter while it was read", self.path, "run the command again")
            into, start = into[count:], start + count

    def masks(self, rows: np.ndarray, limits: np.ndarray | None = None, space: Workspace | None = None) -> Pile:
        """Masks of these rows in the dialect's own pixel order.

        Args:
            rows: int64 `(n,)`.
            limits: int64 `(n,)`, pixels of each row's image; not held to its image when left out.
            space: where they are laid out, or in memory of their own.

        Raises:
            SubmissionError: whatever `rle.parse` refuses, with file, line and key.
        """
        limits = np.full(len(rows), UNBOUNDED) if limits is None else limits
        text, spans = self.load(rows, space)
        masks, faults = pile.parse(text, spans, self.dialect, limits, space)
        mended = {}
        for index in faults.tolist():
            cell = text[spans[index, 0] : spans[index, 1]].tobytes().decode("utf-8", "replace")
            if cell not in self.dialect.empties:
                mended[index] = rle.parse(cell, self.dialect, int(limits[index]), self.where(int(rows[index])))
        if any(map(len, mended.values())):
            masks = pile.of([mended.get(index, masks.runs(index)) for index in range(masks.count)])
        return masks


def share(sheets: Sequence[Sheet]) -> None:
    """Give sheets that name the same rows in the same order the keys of the first, one list for all of them."""
    for other in sheets[1:]:
        if other.names.same(sheets[0].names):
            other.names = sheets[0].names


def read(path: Path, dialect: Dialect) -> list[Row]:
    """Every record of a file of masks; other columns than the dialect's are passed over.

    Cells stay text (`001`, `1e5`, `NA`). A byte order mark and Windows line ends are accepted.

    Raises:
        SubmissionError: whatever `Sheet` refuses.
    """
    with Sheet(path, dialect) as sheet:
        return list(sheet.rows())


def places(keys: Sequence[Key]) -> dict[Key, list[int]]:
    """The rows of each key, in order."""
    found: dict[Key, list[int]] = {}
    for row, key in enumerate(keys):
        found.setdefault(key, []).append(row)
    return found


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise SubmissionError("the CSV cannot be read", f"{path} ({error.strerror})", "check the name") from error


class _NotPlainError(Exception):
    """Records are not simply lines, or cells not simply what lies between commas."""


def _plain_records(file: BinaryIO, path: Path, dialect: Dialect) -> Iterator[Record]:
    """Each record from the bytes.

    Raises:
        _NotPlainError: quotes, other characters than ASCII, or carriage returns that end no line.
    """
    commas: list[int] = []
    width = image = label = mask = 0
    for number, origin, block, begin, end in _lines(file):
        commas.clear()
        at = block.find(b",", begin, end)
        while at >= 0:
            commas.append(at)
            at = block.find(b",", at + 1, end)
        cells = [begin - 1, *commas, end]
        if not width:
            header = [block[a + 1 : b].decode() for a, b in pairwise(cells)]
            width = len(header)
            image, label, mask = table.columns(header, dialect, path)
            continue
        if len(cells) != width + 1:
            raise _ragged(path, number, len(cells) - 1, width)
        name = None if label < 0 else block[cells[label] + 1 : cells[label + 1]].decode()
        key = block[cells[image] + 1 : cells[image + 1]].decode()
        yield number, key, name, origin + cells[mask] + 1, origin + cells[mask + 1]
    if not width:
        raise SubmissionError("the file is empty", path, "write a header and one row a mask")


def _lines(file: BinaryIO) -> Iterator[tuple[int, int, bytes, int, int]]:
    """`(line, where the block begins, block, begin, end)` of each line that is not blank."""
    number, origin, rest = 0, 0, b""
    while True:
        fresh = file.read(_BLOCK)
        # The last line may have no end.
        block = rest + fresh if fresh or not rest or rest.endswith(b"\n") else rest + b"\n"
        if b'"' in fresh or not fresh.isascii() or (b"\r" in fresh and _lone_returns(fresh)):
            raise _NotPlainError
        begin = 0
        while (stop := block.find(b"\n", begin)) >= 0:
            number += 1
            end = stop - 1 if stop > begin and block[stop - 1] == 13 else stop
            if end > begin:
                yield number, origin, block, begin, end
            begin = stop + 1
        rest, origin = block[begin:], origin + begin
        if not fresh:
            return


def _lone_returns(text: bytes) -> bool:
    return text.count(b"\r") != text.count(b"\r\n")


def _copied(path: Path, dialect: Dialect) -> tuple[BinaryIO, list[Record]]:
    """A temporary file of the masks' text, and the records as the csv module sees them."""
    rows = table.records(path)
    _, header = next(rows)
    image, label, mask = table.columns(header, dialect, path)
    found: list[Record] = []
    file, start = tempfile.TemporaryFile(), 0  # noqa: SIM115 (the sheet closes it)
    try:
        for line, cells in rows:
            if len(cells) != len(header):
                raise _ragged(path, line, len(cells), len(header))
            text = cells[mask].encode()
            file.write(text)
            found.append((line, cells[image], None if label < 0 else cells[label], start, start + len(text)))
            start += len(text)
        file.flush()
    except BaseException:
        file.close()
        raise
    return cast(BinaryIO, file), found


def _names(record: Record, path: Path, dialect: Dialect) -> Key:
    if dialect.joint is None:
        return record[1:3]
    try:
        return dialect.names(record[1], record[2])
    except SubmissionError as error:
        raise SubmissionError(f"{path}, line {record[0]}: {error.wrong}", error.seen, error.fix) from None


def _ragged(path: Path, line: int, seen: int, wanted: int) -> SubmissionError:
    where, cells = f"{path}, line {line}: a wrong number of cells", f"{seen} where the header has {wanted}"
    return SubmissionError(where, cells, "quote cells that hold commas")
