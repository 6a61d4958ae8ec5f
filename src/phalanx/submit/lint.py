"""Lint a submission: everything a scoring server could reject, named by line.

A file without fault is indexed and parsed by the compiled engine, some rows at a time. Rows that it does not take go to
the strict parser for the reason; files that it does not take go record by record through the csv module, so that all
their faults are told and not only the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phalanx.core.errors import SubmissionError
from phalanx.mask import table
from phalanx.mask.dialect import Dialect
from phalanx.mask.sheet import Key, Sheet
from phalanx.submit import _lint_keys, _lint_masks
from phalanx.submit._lint_masks import Slice
from phalanx.submit._lint_seen import Problem, Seen, Size

# A guess: no server publishes its limit. A hand-bone submission has 22 MB, noise in every mask makes ten times that.
LARGE_MB = 200
# Bytes of masks that a thread takes at once; they stay in its cache.
_SLICE = 1 << 20


@dataclass(frozen=True)
class Report:
    """What was read of a submission, and what is wrong with it.

    Args:
        problems: in the order of their lines.
        rows: with a key that could be read.
        images: number of different ones.
        classes: number of different ones; 0 in a dialect without.
        runs: of all masks that could be read, those that touch taken as one.
    """

    problems: list[Problem]
    rows: int
    images: int
    classes: int
    runs: int


def lint(
    path: Path,
    dialect: Dialect,
    sizes: Mapping[str, Size] | Size | None = None,
    class_names: Sequence[str] | None = None,
    sample: Path | None = None,
) -> list[Problem]:
    """Every problem of a submission, in the order of its lines; see `examine`."""
    return examine(path, dialect, sizes, class_names, sample).problems


def examine(
    path: Path,
    dialect: Dialect,
    sizes: Mapping[str, Size] | Size | None = None,
    class_names: Sequence[str] | None = None,
    sample: Path | None = None,
    *,
    most_megabytes: float | None = None,
) -> Report:
    """Read a submission and look for problems. The text of its masks is never held as a whole.

    Args:
        path: the CSV.
        dialect: what it should be written in.
        sizes: `(height, width)` by case id, or one for all images; without it, runs are not held to their image.
        class_names: the classes every image must have; those of the sample, or else those most images have.
        sample: the competition's sample submission, whose keys decide which rows there must be.
        most_megabytes: the largest file that the server takes, in 10^6 bytes; a warning from 200 on when not told.

    Raises:
        SubmissionError: the submission is not there, or the sample cannot be read in this dialect.
    """
    if not path.is_file():
        raise SubmissionError("there is no such submission", path, "check the name")
    known = {dialect.key(case): size for case, size in sizes.items()} if isinstance(sizes, Mapping) else sizes
    expected = _expected(dialect, sizes, class_names, sample)
    seen = Seen(dialect, known, expected, class_names, "data" if sample is None else "sample")
    _check_bytes(path, seen, most_megabytes)
    try:
        _, header = next(table.records(path))
        columns = _check_header(header, path, seen)
        if columns is not None:
            _read(path, header, columns, seen)
            _check_whole(seen)
    except SubmissionError as error:
        seen.note(0, "", error)
    images = {image for image, _ in seen.keys}
    classes = {label for _, label in seen.keys if label is not None}
    problems = sorted(seen.problems, key=lambda problem: (problem.line, problem.key))
    return Report(problems, len(seen.keys), len(images), len(classes), seen.runs)


def _expected(
    dialect: Dialect,
    sizes: Mapping[str, Size] | Size | None,
    class_names: Sequence[str] | None,
    sample: Path | None,
) -> dict[Key, int]:
    """The keys there must be, in the order wanted; none when nobody says."""
    if sample is not None:
        with Sheet(sample, dialect) as sheet:
            keys = dict.fromkeys(sheet.keys)
    elif not isinstance(sizes, Mapping):
        return {}
    elif not dialect.classes:
        keys = dict.fromkeys((dialect.key(case), None) for case in sizes)
    else:
        keys = dict.fromkeys((dialect.key(case), label) for case in sizes for label in class_names or ())
    return {key: index for index, key in enumerate(keys)}


def _check_bytes(path: Path, seen: Seen, most: float | None) -> None:
    with path.open("rb") as file:
        head = file.read(65536)
    if head.startswith(b"\xef\xbb\xbf"):
        seen.warning(1, "", "the file begins with a byte order mark", "", "save it as UTF-8 without one")
    if b"\r\n" in head:
        seen.warning(1, "", "the file has Windows line ends", "", r"write \n alone")
    megabytes = path.stat().st_size / 1e6
    if most is not None and megabytes > most:
        said = f"{megabytes:.4g} MB where {most:g} are allowed"
        seen.error(0, "", "the file is larger than the server takes", said, "remove specks, or smooth the outlines")
    elif most is None and megabytes > LARGE_MB:
        seen.warning(0, "", "the file is very large", f"{megabytes:.0f} MB", "look for noise in the masks")


def _check_header(header: list[str], path: Path, seen: Seen) -> list[int] | None:
    """Where the dialect's columns are; None when they cannot be told."""
    wanted = list(seen.dialect.header)
    names = [name.strip() for name in header]
    try:
        columns = table.positions(names, wanted, path)
    except SubmissionError as error:
        seen.note(1, "", error)
        return None
    for name in header:
        if name != name.strip():
            seen.error(1, "", "a column's name has spaces around it", repr(name), "remove them")
    extra = [name for name in names if name not in wanted]
    if "" in extra or any(name.startswith("Unnamed:") for name in extra):
        seen.error(1, "", "there is an index column", names, "write the file without it (pandas: index=False)")
    elif extra:
        seen.error(1, "", "there are columns too many", extra, f"the dialect has {','.join(wanted)}")
    elif names != wanted:
        seen.error(1, "", "the columns are in another order", ",".join(names), f"the dialect has {','.join(wanted)}")
    return columns


def _read(path: Path, header: list[str], columns: list[int], seen: Seen) -> None:
    """Read the rows, and say what is wrong with any of them, also where the file breaks off."""
    try:
        _read_masks(path, header, columns, seen)
    finally:
        seen.index()
        _lint_masks.check_hollow(seen)


def _read_masks(path: Path, header: list[str], columns: list[int], seen: Seen) -> None:
    try:
        sheet = Sheet(path, seen.dialect)
    except SubmissionError:
        # The first of its faults; by records all of them are told. Rows wait for no thread, so none is lost at the end.
        _lint_masks.read(_by_records(path, header, columns, seen), seen, threads=1)
        return
    with sheet:
        seen.keys, seen.numbers = sheet.keys, sheet.lines.tolist()
        _lint_masks.read(_by_index(sheet, seen), seen)


def _by_index(sheet: Sheet, seen: Seen) -> Iterator[Slice]:
    starts = sheet.spans[:, 0]
    cuts = np.unique(np.searchsorted(starts, np.arange(starts[0], starts[-1] + 1, _SLICE)))
    for first, end in zip(cuts.tolist(), [*cuts[1:].tolist(), len(sheet)], strict=True):
        text, spans = sheet.load(np.arange(first, end))
        yield Slice(first, text, spans, seen.limits(seen.keys[first:end]))


def _by_records(path: Path, header: list[str], columns: list[int], seen: Seen) -> Iterator[Slice]:
    """Slices of a file that may break off: what was read until then comes before the error."""
    cells: list[bytes] = []
    size, fault = 0, None
    records = table.records(path)
    next(records)
    while True:
        try:
            line, record = next(records)
        except StopIteration:
            break
        except SubmissionError as error:
            fault = error
            break
        text = _row(line, record, header, columns, seen)
        if text is not None:
            cells.append(text)
            size += len(text)
        if size >= _SLICE:
            yield _slice(cells, seen)
            cells, size = [], 0
    if cells:
        yield _slice(cells, seen)
    if fault is not None:
        raise fault


def _row(line: int, record: list[str], header: list[str], columns: list[int], seen: Seen) -> bytes | None:
    """The text of a record's mask; its key is kept. None when it has no key."""
    if len(record) != len(header):
        said = f"{len(record)} where the header has {len(header)}"
        seen.error(line, record[0][:60], "a wrong number of cells", said, "quote cells that hold commas")
        return None
    picked = [record[column] for column in columns]
    try:
        key = seen.dialect.names(picked[0], picked[1] if seen.dialect.columns.label is not None else None)
    except SubmissionError as error:
        seen.note(line, picked[0][:60], error)
        return None
    seen.keys.append(key)
    seen.numbers.append(line)
    return picked[-1].encode()


def _slice(cells: list[bytes], seen: Seen) -> Slice:
    """The last rows that were read."""
    first = len(seen.keys) - len(cells)
    lengths = np.array([len(cell) for cell in cells], np.int64)
    stops = np.cumsum(lengths)
    spans = np.stack([stops - lengths, stops], 1)
    text = np.frombuffer(bytearray().join(cells), np.uint8)
    return Slice(first, text, spans, seen.limits(seen.keys[first:]))


def _check_whole(seen: Seen) -> None:
    """What shows only once every row is known."""
    if not seen.lines:
        seen.error(0, "", "the file has a header and nothing else", "", "write one row a mask")
        return
    _lint_keys.check(seen)
    _lint_masks.check(seen)
