"""What a lint has seen of a submission, and what it has to say about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from phalanx.core.errors import SubmissionError
from phalanx.mask.dialect import Dialect
from phalanx.mask.pile import Pile
from phalanx.mask.sheet import UNBOUNDED, Key

Size = tuple[int, int]
Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, order=True)
class Problem:
    """Something wrong or odd about a submission.

    Args:
        line: of the file, the header's being 1; 0 when it concerns the file as a whole.
        key: image, or image and class, of the row; "" when it concerns no single row.
        message: what was wrong, what was seen, what to do.
        level: an `error` is or may be rejected by a server; a `warning` is odd, often a sign of a fault; a `note` is
            harmless to most.
    """

    line: int
    key: str
    message: str
    level: Level = "error"


@dataclass
class Seen:
    """A submission as far as it was read.

    Args:
        dialect: what it should be written in.
        sizes: `(height, width)` by image key, or one for all; None: not known.
        expected: the keys there must be, with their place; none when nobody says.
        class_names: the classes there must be; None: not told.
        source: what says which rows there must be, as messages call it: `sample` or `data`.
        problems: found so far.
        keys: of each row that has one, in order.
        numbers: the line of each of them.
        runs: how many were read.
        empty: rows without a pixel.
        touching: rows with runs that could be one.
        digests: `(row, hash)` of masks that do not coincide by chance.
        piles: in a dialect of objects, the first row of a slice and its masks.
        unsound: rows whose mask could not be read.
    """

    dialect: Dialect
    sizes: Mapping[str, Size] | Size | None
    expected: dict[Key, int]
    class_names: Sequence[str] | None
    source: str
    problems: list[Problem] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    lines: dict[Key, int] = field(default_factory=dict)
    runs: int = 0
    empty: list[int] = field(default_factory=list)
    touching: list[int] = field(default_factory=list)
    digests: list[tuple[int, int]] = field(default_factory=list)
    piles: list[tuple[int, Pile]] = field(default_factory=list)
    unsound: set[int] = field(default_factory=set)

    def note(self, line: int, key: str, error: SubmissionError, level: Level = "error") -> None:
        """Keep a problem whose message is an error's line."""
        self.problems.append(Problem(line, key, str(error), level))

    def error(self, line: int, key: str, wrong: str, seen: object = "", fix: str = "") -> None:
        """Keep an error."""
        self.note(line, key, SubmissionError(wrong, seen, fix))

    def warning(self, line: int, key: str, wrong: str, seen: object = "", fix: str = "") -> None:
        """Keep a warning."""
        self.note(line, key, SubmissionError(wrong, seen, fix), "warning")

    def where(self, row: int) -> str:
        """Line and key of a row, for the middle of a message."""
        return f"line {self.numbers[row]} ({name(self.keys[row])})"

    def limits(self, keys: Sequence[Key]) -> np.ndarray:
        """Pixels of each row's image, int64 `(n,)`; `UNBOUNDED` where its size is not known."""
        if isinstance(self.sizes, Mapping):
            sizes = [self.sizes.get(image) for image, _ in keys]
            return np.array([size[0] * size[1] if size else UNBOUNDED for size in sizes], np.int64)
        return np.full(len(keys), self.sizes[0] * self.sizes[1] if self.sizes else UNBOUNDED, np.int64)

    def index(self) -> None:
        """Find the first line of each key; a key that comes twice is an error where a row is a class."""
        self.lines = dict(zip(self.keys, self.numbers, strict=True))
        if len(self.lines) == len(self.keys):
            return
        self.lines = {}
        for key, line in zip(self.keys, self.numbers, strict=True):
            first = self.lines.setdefault(key, line)
            if first != line and self.dialect.unit == "class":
                self.error(line, name(key), "a row comes twice", f"first in line {first}", "keep one")


def name(key: Key) -> str:
    """Image, or image and class, as a problem shows them."""
    return key[0] if key[1] is None else f"{key[0]} {key[1]}"
