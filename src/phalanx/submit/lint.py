"""Lint a submission: everything a scoring server could reject, named by line."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from phalanx.core.errors import SubmissionError
from phalanx.mask import table
from phalanx.mask.dialect import IMAGE_SUFFIXES, Dialect
from phalanx.mask.rle import parse
from phalanx.mask.sheet import read

Size = tuple[int, int]
Key = tuple[str, str | None]

# A guess: no server publishes its limit. A hand-bone submission has 22 MB, noise in every mask makes ten times that.
LARGE_MB = 200


@dataclass(frozen=True, order=True)
class Problem:
    """Something wrong or odd about a submission.

    Args:
        line: of the file, the header's being 1; 0 when it concerns the file as a whole.
        key: image, or image and class, of the row; "" when it concerns no single row.
        message: what was wrong, what was seen, what to do.
        level: an `error` is or may be rejected by a server; a `warning` is merely odd.
    """

    line: int
    key: str
    message: str
    level: Literal["error", "warning"] = "error"


def lint(
    path: Path,
    dialect: Dialect,
    sizes: Mapping[str, Size] | Size | None = None,
    class_names: Sequence[str] | None = None,
    sample: Path | None = None,
) -> list[Problem]:
    """Every problem of a submission, in the order of its lines. The file is read once and never held as a whole.

    Args:
        path: the CSV.
        dialect: what it should be written in.
        sizes: `(height, width)` by case id, or one for all images; without it, runs are not held to their image.
        class_names: the classes every image must have; those of the sample, or else those most images have.
        sample: the competition's sample submission, whose keys decide which rows there must be.

    Raises:
        SubmissionError: the submission is not there, or the sample cannot be read in this dialect.
    """
    if not path.is_file():
        raise SubmissionError("there is no such submission", path, "check the name")
    sheet = _Sheet(dialect, _sizes(sizes, dialect), _expected(dialect, sizes, class_names, sample), class_names)
    _check_bytes(path, sheet)
    try:
        records = table.records(path)
        _, header = next(records)
        columns = _check_header(header, path, sheet)
        for line, cells in records if columns else ():
            _check_record(line, cells, header, columns or [], sheet)
        if columns:
            _check_whole(sheet, sample is not None)
    except SubmissionError as error:
        sheet.note(0, "", error)
    return sorted(sheet.problems, key=lambda problem: (problem.line, problem.key))


@dataclass
class _Sheet:
    """What has been seen of a submission so far."""

    dialect: Dialect
    sizes: Mapping[str, Size] | Size | None
    expected: dict[Key, int]
    class_names: Sequence[str] | None
    problems: list[Problem] = field(default_factory=list)
    lines: dict[Key, int] = field(default_factory=dict)
    empty: list[tuple[int, str]] = field(default_factory=list)
    objects: dict[str, list[tuple[int, np.ndarray]]] = field(default_factory=dict)
    hollow: dict[str, int] = field(default_factory=dict)

    def note(self, line: int, key: str, error: SubmissionError, level: Literal["error", "warning"] = "error") -> None:
        self.problems.append(Problem(line, key, str(error), level))

    def error(self, line: int, key: str, wrong: str, seen: object = "", fix: str = "") -> None:
        self.note(line, key, SubmissionError(wrong, seen, fix))

    def warning(self, line: int, key: str, wrong: str, seen: object = "", fix: str = "") -> None:
        self.note(line, key, SubmissionError(wrong, seen, fix), "warning")

    def pixels(self, image: str) -> int | None:
        size = self.sizes.get(image) if isinstance(self.sizes, Mapping) else self.sizes
        return size[0] * size[1] if size else None


def _sizes(sizes: Mapping[str, Size] | Size | None, dialect: Dialect) -> Mapping[str, Size] | Size | None:
    return {dialect.key(case): size for case, size in sizes.items()} if isinstance(sizes, Mapping) else sizes


def _expected(
    dialect: Dialect,
    sizes: Mapping[str, Size] | Size | None,
    class_names: Sequence[str] | None,
    sample: Path | None,
) -> dict[Key, int]:
    """The keys there must be, in the order wanted; none when nobody says."""
    if sample is not None:
        keys = dict.fromkeys((row.image, row.label) for row in read(sample, dialect))
    elif not isinstance(sizes, Mapping):
        return {}
    elif not dialect.classes:
        keys = dict.fromkeys((dialect.key(case), None) for case in sizes)
    else:
        keys = dict.fromkeys((dialect.key(case), name) for case in sizes for name in class_names or ())
    return {key: index for index, key in enumerate(keys)}


def _check_bytes(path: Path, sheet: _Sheet) -> None:
    with path.open("rb") as file:
        head = file.read(65536)
    if head.startswith(b"\xef\xbb\xbf"):
        sheet.warning(1, "", "the file begins with a byte order mark", "", "save it as UTF-8 without one")
    if b"\r\n" in head:
        sheet.warning(1, "", "the file has Windows line ends", "", r"write \n alone")
    megabytes = path.stat().st_size / 1e6
    if megabytes > LARGE_MB:
        sheet.warning(0, "", "the file is very large", f"{megabytes:.0f} MB", "look for noise in the masks")


def _check_header(header: list[str], path: Path, sheet: _Sheet) -> list[int] | None:
    """Where the dialect's columns are; None when they cannot be told."""
    wanted = list(sheet.dialect.header)
    try:
        columns = table.positions([name.strip() for name in header], wanted, path)
    except SubmissionError as error:
        sheet.note(1, "", error)
        return None
    for name in header:
        if name != name.strip():
            sheet.error(1, "", "a column's name has spaces around it", repr(name), "remove them")
    names = [name.strip() for name in header]
    extra = [name for name in names if name not in wanted]
    if "" in extra or any(name.startswith("Unnamed:") for name in extra):
        sheet.error(1, "", "there is an index column", names, "write the file without it (pandas: index=False)")
    elif extra:
        sheet.error(1, "", "there are columns too many", extra, f"the dialect has {','.join(wanted)}")
    elif names != wanted:
        sheet.error(1, "", "the columns are in another order", ",".join(names), f"the dialect has {','.join(wanted)}")
    return columns


def _check_record(line: int, cells: list[str], header: list[str], columns: list[int], sheet: _Sheet) -> None:
    if len(cells) != len(header):
        seen = f"{len(cells)} where the header has {len(header)}"
        sheet.error(line, cells[0][:60], "a wrong number of cells", seen, "quote cells that hold commas")
        return
    picked = [cells[column] for column in columns]
    text = picked[-1]
    try:
        image, label = sheet.dialect.names(picked[0], picked[1] if sheet.dialect.columns.label is not None else None)
    except SubmissionError as error:
        sheet.note(line, picked[0][:60], error)
        return
    key = _name((image, label))
    first = sheet.lines.setdefault((image, label), line)
    if first != line and sheet.dialect.unit == "class":
        sheet.error(line, key, "a row comes twice", f"first in line {first}", "keep one")
    try:
        runs = parse(text, sheet.dialect, sheet.pixels(image))
    except SubmissionError as error:
        sheet.note(line, key, error)
        return
    if not len(runs):
        sheet.empty.append((line, key))
    if sheet.dialect.unit == "instance":
        _check_object(line, key, runs, sheet)


def _check_object(line: int, key: str, runs: np.ndarray, sheet: _Sheet) -> None:
    """An image with objects has no empty row, one without has a single one."""
    objects = sheet.objects.setdefault(key, [])
    if len(runs):
        objects.append((line, runs))
    if key in sheet.hollow and (objects or not len(runs)):
        fix = "keep it only where the image has no object"
        sheet.error(line, key, "an empty row beside another row of the image", f"line {sheet.hollow[key]}", fix)
    elif not len(runs):
        if objects:
            seen = f"its first object is in line {objects[0][0]}"
            sheet.error(line, key, "an empty row beside another row of the image", seen, "remove the empty row")
        sheet.hollow[key] = line


def _check_whole(sheet: _Sheet, has_sample: bool) -> None:
    """What shows only once every row is known."""
    if not sheet.lines:
        sheet.error(0, "", "the file has a header and nothing else", "", "write one row a mask")
        return
    _check_keys(sheet, "sample" if has_sample else "data")
    for key, objects in sheet.objects.items():
        _check_overlap(key, objects, sheet)
    if sheet.empty:
        line, key = sheet.empty[0]
        wrong = "some masks are empty" if len(sheet.lines) > len(sheet.empty) else "every mask is empty"
        sheet.warning(0, "", wrong, f"{len(sheet.empty)}, first in line {line} ({key})", "see that this is meant")


def _check_keys(sheet: _Sheet, source: str) -> None:
    """Images and classes against those there must be, or against one another."""
    images = dict.fromkeys(image for image, _ in sheet.expected)
    classes = dict.fromkeys(_classes(sheet))
    _check_unknown(sheet, images, classes, source)
    if not images:
        _check_suffixes(sheet)
    every: dict[Key, int] = dict.fromkeys(
        ((image, name) for image in dict.fromkeys(image for image, _ in sheet.lines) for name in classes), 0
    )
    _check_missing(sheet, sheet.expected or every, source if sheet.expected else "file")
    shared = [key for key in sheet.lines if key in sheet.expected]
    wanted = [key for key in sheet.expected if key in sheet.lines]
    if shared != wanted:
        have, want = next(pair for pair in zip(shared, wanted, strict=True) if pair[0] != pair[1])
        seen = f"{_name(have)} where the {source} has {_name(want)}"
        sheet.warning(sheet.lines[have], _name(have), f"rows in another order than the {source}'s", seen, "sort them")


def _check_unknown(sheet: _Sheet, images: Mapping[str, None], classes: Mapping[str, None], source: str) -> None:
    """Names that nothing expects, each reported once with the first of its lines."""
    unknown: dict[tuple[str, str], list[int]] = {}
    for (image, label), line in sheet.lines.items():
        strange_image = image not in images if images else not image or _is_path(image)
        strange_class = bool(classes) and label is not None and label not in classes
        if strange_image:
            unknown.setdefault(("image", image), []).append(line)
        if strange_class:
            unknown.setdefault(("class", str(label)), []).append(line)
        if sheet.expected and not strange_image and not strange_class and (image, label) not in sheet.expected:
            sheet.error(line, _name((image, label)), f"a row that the {source} does not have", "", "remove it")
    for (kind, name), lines in unknown.items():
        seen = f"{name!r} in {len(lines)} row{'s' if len(lines) > 1 else ''}"
        sheet.error(lines[0], name, f"an unknown {kind}", seen, _hint(name, images if kind == "image" else classes))


def _check_suffixes(sheet: _Sheet) -> None:
    """Keys that are not written as the dialect writes them, when nobody says which images there are."""
    keep = sheet.dialect.keep_suffix
    odd = {image: line for (image, _), line in sheet.lines.items() if image.lower().endswith(IMAGE_SUFFIXES) != keep}
    if odd:
        image, line = next(iter(odd.items()))
        seen = f"{image} and {len(odd) - 1} more" if len(odd) > 1 else image
        fix = f"the dialect {sheet.dialect.name} writes image1{'.png' * keep}"
        sheet.warning(line, image, f"a file suffix {'missing' if keep else 'too many'} in the key", seen, fix)


def _check_missing(sheet: _Sheet, expected: Mapping[Key, int], source: str) -> None:
    absent: dict[str, list[str | None]] = {}
    count: dict[str, int] = {}
    for image, label in expected:
        count[image] = count.get(image, 0) + 1
        if (image, label) not in sheet.lines:
            absent.setdefault(image, []).append(label)
    for image, labels in absent.items():
        if len(labels) == count[image]:
            seen = f"{len(labels)} row{'s' if len(labels) > 1 else ''} of the {source}"
            sheet.error(0, image, "an image is missing", seen, "add every row of it")
        else:
            some = ", ".join(map(str, labels[:4])) + (", ..." if len(labels) > 4 else "")
            sheet.error(0, image, "classes of an image are missing", f"{len(labels)} ({some})", "add their rows")


def _check_overlap(key: str, objects: list[tuple[int, np.ndarray]], sheet: _Sheet) -> None:
    """Objects of one image that share pixels: one problem for each object that does, naming the one before it."""
    if len(objects) < 2:
        return
    runs = np.concatenate([part for _, part in objects])
    owner = np.repeat(np.arange(len(objects)), [len(part) for _, part in objects])
    order = np.argsort(runs[:, 0], kind="stable")
    runs, owner = runs[order], owner[order]
    reach = np.maximum.accumulate(runs[:, 1])
    # Whose interval reaches furthest so far: the last at which the running maximum rose.
    rose = np.append(True, runs[1:, 1] > reach[:-1])
    holder = owner[np.maximum.accumulate(np.where(rose, np.arange(len(runs)), 0))]
    found: dict[int, int] = {}
    for index in np.flatnonzero(runs[1:, 0] < reach[:-1]).tolist():
        pair = sorted((int(owner[index + 1]), int(holder[index])))
        found.setdefault(pair[1], pair[0])
    for later, earlier in found.items():
        seen = f"with the object in line {objects[earlier][0]}"
        sheet.error(objects[later][0], key, "an object overlaps another", seen, "give every pixel to one object")


def _classes(sheet: _Sheet) -> list[str]:
    """The classes there must be: those given or the sample's; else those that at least half of the images have."""
    if sheet.class_names is not None:
        return list(sheet.class_names)
    named = [label for _, label in sheet.expected if label is not None]
    if named:
        return list(dict.fromkeys(named))
    count: dict[str, int] = {}
    for _, label in sheet.lines:
        if label is not None:
            count[label] = count.get(label, 0) + 1
    images = len({image for image, _ in sheet.lines})
    return [label for label, number in count.items() if 2 * number >= images]


def _is_path(image: str) -> bool:
    return "/" in image or "\\" in image


def _hint(name: str, known: Mapping[str, None]) -> str:
    bare = name.strip().replace("\\", "/").rsplit("/", 1)[-1]
    stems = {suffix for suffix in ("", *IMAGE_SUFFIXES) if bare + suffix in known}
    if stems:
        return f"write {bare}{sorted(stems)[0]}"
    if _is_path(name):
        return "write the bare file name"
    stem = bare.rsplit(".", 1)[0]
    close = [stem] if stem in known else difflib.get_close_matches(name, list(known)[:1000], n=1)
    return f"did you mean {close[0]}?" if close else "remove its rows"


def _name(key: Key) -> str:
    return key[0] if key[1] is None else f"{key[0]} {key[1]}"
