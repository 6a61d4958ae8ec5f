"""What travels between formats: pictures, one image's masks at a time, and how their classes are called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from phalanx.core import files
from phalanx.core.errors import SubmissionError
from phalanx.mask import components, pile
from phalanx.mask import runs as run_lengths
from phalanx.mask.dialect import Dialect
from phalanx.mask.sheet import Key
from phalanx.submit import write

Size = tuple[int, int]


class Frame(NamedTuple):
    """What is known of an image apart from its masks.

    Args:
        name: its file name where a folder of images was given, else its key.
        size: `(height, width)`, None when nobody said.
    """

    name: str
    size: Size | None


# The frame of an image, by its key.
Frames = Callable[[str], Frame]


@dataclass(frozen=True)
class Picture:
    """One image's masks on their way from one format to another.

    Args:
        name: the image's file name or key.
        size: `(height, width)`.
        masks: class (None in a format without classes) and row-major runs; one a class, or one an object.
    """

    name: str
    size: Size
    masks: Sequence[tuple[str | None, np.ndarray]]

    def sorted(self, labels: Sequence[str | None]) -> Picture:
        """The same masks in the order of their classes; those of one class stay in theirs."""
        place = {label: index for index, label in enumerate(labels)}
        return replace(self, masks=sorted(self.masks, key=lambda mask: place[mask[0]]))

    def united(self) -> dict[str | None, np.ndarray]:
        """One mask a class, in order of appearance."""
        parts: dict[str | None, list[np.ndarray]] = {}
        for label, runs in self.masks:
            parts.setdefault(label, []).append(runs)
        return {label: found[0] if len(found) == 1 else run_lengths.union(found) for label, found in parts.items()}

    def renamed(self, names: Mapping[str | None, str | None]) -> Picture:
        """The same masks, their classes called as `names` says."""
        return replace(self, masks=[(names[label], runs) for label, runs in self.masks])


@dataclass(frozen=True)
class Source:
    """What a file or folder holds.

    Args:
        labels: its classes, in order; `(None,)` in a format without classes.
        objects: whether a mask is an object, several of which may have one class.
        count: how many images there are.
        pictures: the images, drawn one at a time.
    """

    labels: tuple[str | None, ...]
    objects: bool
    count: int
    pictures: Iterable[Picture]

    def named(self, names: Mapping[str | None, str | None]) -> Source:
        """The same pictures, their classes called and ordered as `names` says."""
        pictures = (picture.renamed(names) for picture in self.pictures)
        return replace(self, labels=tuple(dict.fromkeys(names.values())), pictures=pictures)


def class_names(labels: Sequence[str | None], given: Sequence[str] | None) -> dict[str | None, str | None]:
    """What each class of a source is called, in the order in which formats with numbers count them.

    Names given are taken as they are where the source has the same ones; where it has only the numbers 1, 2, 3 ... they
    are the names of these; where it has no class there must be one.

    Raises:
        SubmissionError: a class that is none of those given, or several for a source without classes.
    """
    if given is None:
        return {label: label for label in labels}
    if tuple(labels) == (None,):
        if len(given) != 1:
            fix = "give one name"
            raise SubmissionError("the input has no classes to tell apart", f"--classes {','.join(given)}", fix)
        return {None: given[0]}
    numbers = {str(number + 1): name for number, name in enumerate(given)}
    if all(label in numbers for label in labels) and not set(labels) & set(given):
        return {**numbers}
    strange = [label for label in labels if label not in given]
    if strange:
        fix = "name every class of the input, or the classes of its numbers 1, 2, 3 ..."
        raise SubmissionError("a class of the input is none of --classes", repr(strange[0]), fix)
    return {name: name for name in given}


def check_names(labels: Sequence[str | None], what: str) -> None:
    """Refuse a source without class names where the output needs them.

    Raises:
        SubmissionError: there are none.
    """
    if None in labels:
        raise SubmissionError("the input names no class, the output needs one", what, "give --classes NAME")


def check_dialect(labels: Sequence[str | None], dialect: Dialect) -> None:
    """Refuse classes that a dialect cannot write.

    Raises:
        SubmissionError: several classes and no column for them, none and a column, or a class that would not be read
            back from a cell it shares with the image.
    """
    if not dialect.classes:
        if len(labels) > 1:
            seen = f"{dialect.name} for {len(labels)} classes"
            raise SubmissionError("the dialect has no column for the class", seen, "choose another dialect")
        return
    check_names(labels, f"dialect {dialect.name}")
    for label in labels:
        if dialect.joint is not None and (not label or dialect.joint in label):
            seen = f"{label!r} behind {dialect.joint!r}"
            raise SubmissionError("a class cannot share a cell with the image", seen, "give --classes other names")


def check_key(key: str) -> str:
    """The key, if a file can hold it.

    Raises:
        SubmissionError: it is empty, or holds a NUL or what is no Unicode.
    """
    if not key or "\0" in key or any("\ud800" <= letter <= "\udfff" for letter in key):
        raise SubmissionError("an image has a key that no file can hold", repr(key[:60]), "rename the image")
    return key


def check_name(name: str, what: str) -> str:
    """The name, if it can name a file and leads nowhere else.

    Raises:
        SubmissionError: it is empty, hidden, too long, or holds a separator, a NUL or what is no Unicode.
    """
    check_key(name)
    if name.startswith(".") or "/" in name or "\\" in name or len(name.encode()) > 240:
        seen = f"{what} {name[:60]!r}"
        raise SubmissionError("a name cannot be that of a file", seen, "rename it, or convert to a CSV or to COCO")
    return name


def to_csv(path: Path, source: Source, dialect: Dialect) -> int:
    """Write a source as a CSV; returns the number of rows behind the header.

    Raises:
        SubmissionError: what `check_dialect` refuses, keys no CSV can hold, an image twice, or nothing to write.
    """
    check_dialect(source.labels, dialect)
    count, seen = 0, set[str]()
    with files.whole(path) as temporary, temporary.open("wb") as file:
        file.write(write.header(dialect))
        for picture in source.pictures:
            key = check_key(dialect.key(picture.name))
            if key in seen:
                raise SubmissionError("two images have the same key", key, "rename one of them")
            seen.add(key)
            rows = list(_rows(picture.sorted(source.labels), source.objects, dialect))
            own = [_own(runs, picture.size, dialect) for _, runs in rows]
            keys: list[Key] = [(key, label) for label, _ in rows]
            file.write(write.lines(keys, pile.of(own), replace(dialect, unit="class")))
            count += len(rows)
        if not count:
            raise SubmissionError("there is nothing to write", path, "name an input that holds masks")
    return count


def _rows(picture: Picture, objects: bool, dialect: Dialect) -> Iterator[tuple[str | None, np.ndarray]]:
    """Class and runs of each row an image takes."""
    if dialect.unit == "class":
        yield from picture.united().items()
        return
    masks = picture.masks if objects else picture.united().items()
    parts: dict[str | None, list[np.ndarray]] = {}
    for label, runs in masks:
        found = ([runs] if len(runs) else []) if objects else components.split(runs, picture.size)
        parts.setdefault(label, []).extend(found)
    for label, found in parts.items():
        for runs in found or [run_lengths.empty()]:
            yield label, runs


def _own(runs: np.ndarray, size: Size, dialect: Dialect) -> np.ndarray:
    """Row-major runs in the dialect's own pixel order."""
    return run_lengths.transpose(runs, size) if dialect.order == "column" else runs
