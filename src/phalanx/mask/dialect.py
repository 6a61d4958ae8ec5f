"""Dialects: how competitions write a mask as `start length start length ...` in a CSV.

They differ in the columns, in whether pixels are counted along rows or columns, from 0 or from 1, in what stands for an
empty mask, and in whether a row is a class or an object. Decoding is strict: what the usual decoders clip, merge or
broadcast in silence is refused here, with its reason.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np

from phalanx.core.errors import ConfigError, SubmissionError
from phalanx.mask import runs as run_lengths
from phalanx.mask import table

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

# Sums of two numbers below this stay within int64.
_LARGEST = 2**62


class Columns(NamedTuple):
    """Names of the columns that matter, in the order in which they are written.

    Args:
        image: the image's key.
        label: the class; None: the file has one class and no such column.
        rle: the mask.
    """

    image: str
    label: str | None
    rle: str


@dataclass(frozen=True)
class Dialect:
    """One way of writing masks into a CSV.

    Args:
        name: what `--dialect` is given.
        competition: where it comes from, a sentence.
        columns: the names of its columns; a plain tuple `(image, label or None, rle)` will do.
        order: `row`: pixels are counted along rows, index `y * width + x`; `column`: `x * height + y`.
        base: the number of the first pixel.
        empty: written for a mask without a pixel.
        empties: read as a mask without a pixel.
        unit: what a row is: a `class` of an image, or an `instance`, one connected object.
        keep_suffix: whether image keys carry the file's suffix (`image1.png`).
    """

    name: str
    competition: str
    columns: Columns
    order: Literal["row", "column"] = "row"
    base: Literal[0, 1] = 1
    empty: str = ""
    empties: tuple[str, ...] = ("",)
    unit: Literal["class", "instance"] = "class"
    keep_suffix: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", Columns(*self.columns))

    @property
    def header(self) -> tuple[str, ...]:
        """The columns that are there, in order."""
        return tuple(column for column in self.columns if column is not None)

    def key(self, case: str) -> str:
        """How an image of this case id is named in the file."""
        path = PurePath(case)
        return case if self.keep_suffix or path.suffix.lower() not in IMAGE_SUFFIXES else case[: -len(path.suffix)]


DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        dialect.name: dialect
        for dialect in (
            Dialect(
                "handbone",
                "Hand-bone segmentation (29 overlapping bones, 2048 px): one row an image and class.",
                Columns("image_name", "class", "rle"),
            ),
            Dialect(
                "dsb2018",
                "Kaggle 2018 Data Science Bowl (cell nuclei): one row an object, keys without a suffix.",
                Columns("ImageId", None, "EncodedPixels"),
                order="column",
                unit="instance",
                keep_suffix=False,
            ),
        )
    }
)


class Row(NamedTuple):
    """One record of a file; every cell is text as it stands there.

    Args:
        line: the line of the file it starts on, the header's being 1.
        image: the image's key.
        label: the class, None in a dialect without that column.
        rle: the mask's text, not yet looked at.
    """

    line: int
    image: str
    label: str | None
    rle: str


def named(name: str) -> Dialect:
    """The dialect of a name.

    Raises:
        ConfigError: there is none.
    """
    if name not in DIALECTS:
        close = difflib.get_close_matches(name, DIALECTS) or sorted(DIALECTS)
        raise ConfigError("no dialect has this name", name, f"choose {' or '.join(close)}")
    return DIALECTS[name]


def encode(runs: np.ndarray, size: tuple[int, int], dialect: Dialect) -> str:
    """The text of a mask.

    >>> encode(np.array([[1, 3], [5, 6]]), (2, 3), DIALECTS["handbone"])
    '2 2 6 1'
    """
    if not len(runs):
        return dialect.empty
    if dialect.order == "column":
        runs = run_lengths.transpose(runs, size)
    pairs = np.stack([runs[:, 0] + dialect.base, runs[:, 1] - runs[:, 0]], 1)
    return " ".join(map(str, pairs.ravel().tolist()))


def decode(text: str, size: tuple[int, int], dialect: Dialect, where: str = "") -> np.ndarray:
    """The runs a text stands for, int64 `(n, 2)`, row-major. Intervals that touch become one.

    Args:
        text: one cell.
        size: `(height, width)` of the image.
        dialect: how it was written.
        where: file, line and key, put before an error's line.

    Raises:
        SubmissionError: whatever `parse` refuses.
    """
    runs = parse(text, dialect, size[0] * size[1], where)
    return run_lengths.transpose(runs, (size[1], size[0])) if dialect.order == "column" else runs


def parse(text: str, dialect: Dialect, pixels: int | None = None, where: str = "") -> np.ndarray:
    """The intervals of a text in the dialect's own pixel order, counted from 0: int64 `(n, 2)`.

    Args:
        text: one cell.
        dialect: how it was written.
        pixels: of the image, the bound of every interval; None when the size is not known.
        where: file, line and key, put before an error's line.

    Raises:
        SubmissionError: an odd count of numbers, something else than a number, a number too large, a start before the
            first pixel, an empty or negative length, intervals that descend, overlap or leave the image.
    """
    text = text.strip(" ")
    if text in dialect.empties:
        return run_lengths.empty()
    numbers = _numbers(text, dialect, where)
    if len(numbers) % 2:
        raise _refusal(
            where, "an odd count of numbers", f"{len(numbers)} in {_short(text)!r}", "write start and length"
        )
    starts, lengths = numbers[0::2] - dialect.base, numbers[1::2]
    stops = starts + lengths
    end = _LARGEST if pixels is None else pixels
    faults = (
        (starts < 0, "a start before the first pixel", f"pixels are counted from {dialect.base}"),
        (lengths == 0, "a run of length zero", "leave it out"),
        (stops > end, "a run that leaves the image", f"the image has {end} pixels; check its size"),
        (_after(starts, starts), "starts that descend", "sort the runs by their start"),
        (_after(starts, stops), "overlapping runs", "every pixel may be in one run only"),
    )
    for fault, wrong, fix in faults:
        if fault.any():
            index = int(np.argmax(fault))
            before = (
                f" after {_run(numbers, index - 1)}" if wrong in ("starts that descend", "overlapping runs") else ""
            )
            raise _refusal(where, wrong, f"run {index + 1} is {_run(numbers, index)}{before}", fix)
    runs = np.stack([starts, stops], 1)
    return run_lengths.union([runs]) if (starts[1:] == stops[:-1]).any() else runs


def read(path: Path, dialect: Dialect) -> list[Row]:
    """Every record of a file of masks; other columns than the dialect's are passed over.

    Cells stay text (`001`, `1e5`, `NA`). A byte order mark and Windows line ends are accepted.

    Raises:
        SubmissionError: what `table.records` and `table.positions` refuse, no record behind the header, or a record
            with another number of cells than the header.
    """
    records = table.records(path)
    _, header = next(records)
    found = table.positions(header, dialect.header, path)
    image, rle, label = found[0], found[-1], found[1] if dialect.columns.label is not None else None
    rows = []
    for line, cells in records:
        if len(cells) != len(header):
            seen = f"{len(cells)} where the header has {len(header)}"
            raise SubmissionError(f"{path}, line {line}: a wrong number of cells", seen, "quote cells that hold commas")
        rows.append(Row(line, cells[image], None if label is None else cells[label], cells[rle]))
    if not rows:
        raise SubmissionError("the file has a header and nothing else", path, "name the file with the masks")
    return rows


def _numbers(text: str, dialect: Dialect, where: str) -> np.ndarray:
    """The whole numbers of a text that holds nothing else, int64."""
    strange = not text or text.translate(_DIGITS)
    # With digits and spaces alone, fromstring cannot fail; it caps what does not fit int64 at the largest value.
    numbers = None if strange else np.fromstring(text, np.int64, sep=" ")
    if numbers is not None and numbers.max() < _LARGEST:
        return numbers
    for index, token in enumerate(token for token in text.split(" ") if token):
        if token.isascii() and token.isdigit():
            if int(token[:20]) >= _LARGEST:
                raise _refusal(where, "a number too large", _short(token), "no image has so many pixels")
        elif re.fullmatch("-[0-9]+", token, re.ASCII):
            what = ("a negative start", "a negative length")[index % 2]
            raise _refusal(where, what, f"number {index + 1} is {_short(token)}", "write start and length")
        elif "\0" in token:
            raise _refusal(where, "a NUL character", repr(_short(token)), "the file is damaged: write it again")
        else:
            fix = f"write whole numbers, and {dialect.empty!r} for an empty mask"
            raise _refusal(where, "not a number", repr(_short(token)), fix)
    raise _refusal(where, "an empty cell", repr(_short(text)), f"write {dialect.empty!r} for an empty mask")


_DIGITS = {ord(character): None for character in "0123456789 "}


def _after(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Which starts lie before the end given for their predecessor."""
    return np.append(False, starts[1:] < ends[:-1])


def _run(numbers: np.ndarray, index: int) -> str:
    return f"'{numbers[2 * index]} {numbers[2 * index + 1]}'"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def _refusal(where: str, wrong: str, seen: str, fix: str) -> SubmissionError:
    return SubmissionError(f"{where}: {wrong}" if where else wrong, seen, fix)
