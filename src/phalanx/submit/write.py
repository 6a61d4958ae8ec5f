"""Write a submission: the same masks give the same bytes, and the file is there whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from phalanx.core import files
from phalanx.core.errors import SubmissionError
from phalanx.mask import components, pile, runs
from phalanx.mask.dialect import Dialect
from phalanx.mask.pile import Pile
from phalanx.mask.rle import encode
from phalanx.mask.sheet import Key

Masks = Mapping[str, np.ndarray]

_MARKS = re.compile('[,"\r\n]')


def write(
    path: Path,
    dialect: Dialect,
    rows: Iterable[tuple[str, tuple[int, int], Masks]],
    class_names: Sequence[str],
    *,
    overwrite: bool = False,
) -> int:
    r"""Write the masks of every image, in the order given, with `\n` line ends.

    A dialect of classes gets one row an image and class, in the order of `class_names`; a dialect of instances one row
    a connected object (8-connected, by first pixel), or one row with the empty text for an image and class without any.

    Args:
        path: the CSV.
        dialect: how it is written.
        rows: case id, `(height, width)` of the image, and runs by class name; drawn one at a time.
        class_names: the classes, all of which every image must have runs for, empty ones included.
        overwrite: replace a file of this name.

    Returns:
        The number of rows behind the header.

    Raises:
        SubmissionError: the file exists, there is nothing to write, an image comes twice or cannot be named in a CSV,
            its classes are not `class_names`, or the dialect has no column to tell several classes apart.
        ValueError: runs that do not fit the image.
    """
    if path.exists() and not overwrite:
        raise SubmissionError(
            "the submission exists already", path, "choose another name, or say that it may be replaced"
        )
    if not dialect.classes and len(class_names) != 1:
        seen = f"{dialect.name} for {len(class_names)} classes"
        raise SubmissionError("the dialect has no column for the class", seen, "choose one class or another dialect")
    count = 0
    seen_keys: set[str] = set()
    with files.whole(path) as temporary, temporary.open("wb") as file:
        file.write(_line(dialect.header))
        for case, size, masks in rows:
            key = dialect.key(case)
            _check(case, key, seen_keys, masks, class_names)
            for name in class_names:
                runs.check(masks[name], size)
                for text in _texts(masks[name], size, dialect):
                    file.write(_line((*dialect.cells(key, name), text)))
                    count += 1
        if not count:
            raise SubmissionError("there is nothing to submit", f"no image for {path}", "give at least one image")
    return count


def header(dialect: Dialect) -> bytes:
    """The first line of a submission."""
    return _line(dialect.header)


def lines(keys: Sequence[Key], masks: Pile, dialect: Dialect, size: tuple[int, int] | None = None) -> bytes:
    """The lines of a submission for masks in the dialect's own pixel order.

    Args:
        keys: image and class of each mask, as they are written.
        masks: one a key.
        dialect: how they are written.
        size: `(height, width)` of the images; a dialect of instances needs it to tell the objects apart.

    Raises:
        SubmissionError: a dialect of instances without a size.
    """
    if dialect.unit == "instance":
        keys, masks = _objects(keys, masks, dialect, size)
    text, ends = pile.write(masks, dialect)
    # A view: the text is copied once, into the result.
    data, bounds = memoryview(text.data), ends.tolist()
    empty = dialect.empty.encode()
    parts: list[bytes | memoryview] = []
    # The same images and classes come again and again.
    quoted = cache(_quoted)
    for (image, label), start, stop in zip(keys, bounds[:-1], bounds[1:], strict=True):
        cells = ",".join(map(quoted, dialect.cells(image, label)))
        parts += (f"{cells},".encode(), data[start:stop] if stop > start else empty, b"\n")
    return b"".join(parts)


def _objects(
    keys: Sequence[Key], masks: Pile, dialect: Dialect, size: tuple[int, int] | None
) -> tuple[list[Key], Pile]:
    """A row an object, or one without a pixel where a key has none."""
    if size is None:
        fix = "give --size HxW"
        raise SubmissionError("objects cannot be told apart without the size of the images", dialect.name, fix)
    # Objects are the same in the transposed picture, which is what a column-major dialect counts along.
    own = size if dialect.order == "row" else (size[1], size[0])
    parts = [components.split(masks.runs(index), own) or [runs.empty()] for index in range(masks.count)]
    named = [key for key, found in zip(keys, parts, strict=True) for _ in found]
    return named, pile.of([part for found in parts for part in found])


def _texts(mask: np.ndarray, size: tuple[int, int], dialect: Dialect) -> Iterator[str]:
    """The texts of one mask, one for each row it takes."""
    objects = components.split(mask, size) if dialect.unit == "instance" and len(mask) else [mask]
    for part in objects:
        yield encode(part, size, dialect)


def _check(case: str, key: str, seen: set[str], masks: Masks, class_names: Sequence[str]) -> None:
    if not key or "\0" in key or not _is_text(key):
        raise SubmissionError("a case has an id that no CSV can hold", repr(case), "rename the image")
    if key in seen:
        raise SubmissionError("an image comes twice", f"{key} (case {case})", "give every case once")
    seen.add(key)
    if set(masks) != set(class_names):
        absent, extra = sorted(set(class_names) - set(masks)), sorted(set(masks) - set(class_names))
        differ = f"{case}: missing {absent[:3]}, unknown {extra[:3]}"
        raise SubmissionError("the masks of an image are not those of the classes", differ, "give each class its runs")


def _is_text(key: str) -> bool:
    """False for file names that are no Unicode, which Python carries as lone surrogates."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def _line(cells: Sequence[str]) -> bytes:
    # The csv module's quoting of a carriage return differs between Python versions; a submission's bytes may not.
    return (",".join(map(_quoted, cells)) + "\n").encode()


def _quoted(cell: str) -> str:
    needed = _MARKS.search(cell) or cell != cell.strip()
    return '"' + cell.replace('"', '""') + '"' if needed else cell
