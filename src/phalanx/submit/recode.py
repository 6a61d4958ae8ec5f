"""From one CSV to another: rows stay in their order, and a file larger than memory passes slice by slice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from phalanx.core import files
from phalanx.core.errors import SubmissionError
from phalanx.core.progress import track
from phalanx.mask import components, pile, repair
from phalanx.mask import runs as run_lengths
from phalanx.mask.dialect import Dialect
from phalanx.mask.pile import Pile
from phalanx.mask.sheet import UNBOUNDED, Key, Sheet, places
from phalanx.submit import convert, write
from phalanx.submit.convert import Frame, Frames, Picture, Source

# Bytes of text that are worked on at a time.
_SLICE = 1 << 20


class Reader:
    """Masks of a CSV, held to their images and repaired if that is wanted.

    Args:
        sheet: the CSV.
        frames: name and size of an image by its key.
        mend: repair what is malformed instead of refusing it.

    Raises:
        SubmissionError: a key comes twice in a dialect with one row a class, and nothing is to be repaired.
    """

    def __init__(self, sheet: Sheet, frames: Frames, mend: bool = False) -> None:
        self.sheet, self.frames, self.mend = sheet, frames, mend
        self.repairs: list[str] = []
        self.twice = False
        for rows in places(sheet.keys).values() if sheet.dialect.unit == "class" else ():
            if len(rows) > 1:
                self.twice = True
                self._again(rows)

    @property
    def labels(self) -> tuple[str | None, ...]:
        """The classes, in order of appearance."""
        return tuple(dict.fromkeys(label for _, label in self.sheet.keys))

    def _again(self, rows: list[int]) -> None:
        if not self.mend:
            fix = "keep one, or say --repair to unite them"
            raise SubmissionError(f"{self.sheet.where(rows[1])}: a row comes twice", self._line(rows[0]), fix)
        self.repairs += [f"{self.sheet.where(row)}: united with {self._line(rows[0])}" for row in rows[1:]]

    def _line(self, row: int) -> str:
        return f"line {self.sheet.lines[row]}"

    def masks(self, rows: np.ndarray, frames: list[Frame]) -> Pile:
        """Masks of rows in the dialect's own pixel order.

        Args:
            rows: int64 `(n,)`.
            frames: of each row's image.
        """
        sizes = [frame.size for frame in frames]
        limits = np.array([size[0] * size[1] if size else UNBOUNDED for size in sizes], np.int64)
        if not self.mend:
            return self.sheet.masks(rows, limits)
        masks, lines = repair.masks(self.sheet, rows, limits)
        self.repairs += lines
        return masks

    def source(self) -> Source:
        """The images of the CSV, in order of their first row.

        Raises:
            SubmissionError: when they are drawn: an image of unknown size, malformed runs.
        """
        images: dict[str, list[int]] = {}
        for row, (image, _) in enumerate(self.sheet.keys):
            images.setdefault(image, []).append(row)
        pictures = (self._picture(image, rows) for image, rows in images.items())
        return Source(self.labels, self.sheet.dialect.unit == "instance", len(images), pictures)

    def _picture(self, image: str, rows: list[int]) -> Picture:
        frame = self.frames(image)
        size = sized(frame, image)
        masks = self.masks(np.array(rows), [frame] * len(rows))
        found = []
        for index, row in enumerate(rows):
            runs = masks.runs(index)
            if self.sheet.dialect.order == "column":
                runs = run_lengths.transpose(runs, (size[1], size[0]))
            found.append((self.sheet.keys[row][1], runs))
        return Picture(frame.name, size, found)


def sized(frame: Frame, image: str) -> tuple[int, int]:
    """The frame's size.

    Raises:
        SubmissionError: it is not known.
    """
    if frame.size is None:
        raise SubmissionError("the size of an image is not known", image, "give --size HxW or --images DIR")
    return frame.size


def recode(path: Path, reader: Reader, dialect: Dialect, names: Mapping[str | None, str | None]) -> int:
    """Write a CSV in another dialect; returns the number of rows behind the header.

    Rows keep their order. Objects stay objects; where a dialect of classes wants one mask they are united, and where
    one of objects wants several, a mask is split into what holds together.

    Args:
        path: the CSV to write.
        reader: the CSV to read.
        dialect: how it is to be written.
        names: what each class is called.

    Raises:
        SubmissionError: malformed runs, an image of unknown size where it is needed, classes or keys that the dialect
            cannot write.
    """
    convert.check_dialect(list(dict.fromkeys(names.values())), dialect)
    source = reader.sheet.dialect
    rows = places(reader.sheet.keys).values()
    groups = list(rows) if reader.twice or source.unit != dialect.unit else [[row] for row in range(len(reader.sheet))]
    slices = list(_slices(groups, reader.sheet))
    count, seen = 0, {}
    with files.whole(path) as temporary, temporary.open("wb") as file:
        file.write(write.header(dialect))
        for part in track(slices, "converting", len(slices)):
            keys, masks = _part(part, reader, dialect, names, seen)
            file.write(write.lines(keys, masks, replace(dialect, unit="class")))
            count += len(keys)
    return count


def _slices(groups: list[list[int]], sheet: Sheet) -> Iterator[list[list[int]]]:
    """Groups of rows with a few megabytes of text each."""
    lengths = sheet.spans[:, 1] - sheet.spans[:, 0]
    part: list[list[int]] = []
    size = 0
    for rows in groups:
        part.append(rows)
        # A row without text is work too.
        size += int(lengths[rows].sum()) + 64 * len(rows)
        if size > _SLICE:
            yield part
            part, size = [], 0
    if part:
        yield part


def _part(
    groups: list[list[int]],
    reader: Reader,
    dialect: Dialect,
    names: Mapping[str | None, str | None],
    seen: dict[str, str],
) -> tuple[list[Key], Pile]:
    """Keys and masks, in the order and pixel order of the dialect, of groups of rows that belong together."""
    every = [row for rows in groups for row in rows]
    frames = [reader.frames(reader.sheet.keys[row][0]) for row in every]
    masks = reader.masks(np.array(every), frames)
    turned = reader.sheet.dialect.order != dialect.order
    split = dialect.unit == "instance" and reader.sheet.dialect.unit == "class"
    found: list[np.ndarray] = []
    keys: list[Key] = []
    at = 0
    for rows in groups:
        image, label = reader.sheet.keys[rows[0]]
        key, frame = _key(image, frames[at], dialect, seen), frames[at]
        parts = [masks.runs(index) for index in range(at, at + len(rows))]
        at += len(rows)
        runs = parts[0] if len(parts) == 1 else run_lengths.union(parts)
        if turned or split:
            size = sized(frame, image)
            runs = _turned(runs, size, reader.sheet.dialect) if turned else runs
            own = size if dialect.order == "row" else (size[1], size[0])
            parts = components.split(runs, own) or [runs] if split else [runs]
        else:
            parts = [runs]
        found += parts
        keys += [(key, names[label])] * len(parts)
    return keys, pile.of(found)


def _turned(runs: np.ndarray, size: tuple[int, int], source: Dialect) -> np.ndarray:
    """The runs of the other pixel order."""
    return run_lengths.transpose(runs, size if source.order == "row" else (size[1], size[0]))


def _key(image: str, frame: Frame, dialect: Dialect, seen: dict[str, str]) -> str:
    """The image's key in the dialect; no two images may come to have the same."""
    key = convert.check_key(dialect.key(frame.name))
    if seen.setdefault(key, image) != image:
        raise SubmissionError("two images come to have the same key", f"{seen[key]} and {image}", "rename one of them")
    return key
