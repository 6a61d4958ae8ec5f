"""CSV files as text: every cell a string, every record with the line it starts on."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from phalanx.core.errors import SubmissionError
from phalanx.mask.dialect import Dialect

# The csv module stops at 131,072 characters; a ragged mask of 2048 x 2048 pixels can be longer.
FIELD_LIMIT = 2**31 - 1


def records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield `(line, cells)` of each record, the header first; blank lines are passed over.

    A byte order mark and Windows line ends are taken as they come: they change no cell.

    Raises:
        SubmissionError: no such file, no record at all, not UTF-8 text, or quotes that do not close.
    """
    csv.field_size_limit(FIELD_LIMIT)
    line = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            first = next((cells for cells in reader if cells), None)
            if first is None:
                raise SubmissionError("the file is empty", path, "write a header and one row a mask")
            if any("\0" in cell for cell in first):
                raise _not_text(path)
            yield reader.line_num, first
            line = reader.line_num + 1
            for cells in reader:
                if cells:
                    yield line, cells
                line = reader.line_num + 1
    except UnicodeDecodeError as error:
        raise _not_text(path) from error
    except csv.Error as error:
        raise SubmissionError(
            f"line {line} is not CSV", f"{path} ({error})", "close every quote, or write the file again"
        ) from error
    except OSError as error:
        raise SubmissionError("the CSV cannot be read", f"{path} ({error.strerror})", "check the name") from error


def positions(header: Sequence[str], wanted: Sequence[str], path: Path) -> list[int]:
    """Where in a header the wanted columns are.

    Raises:
        SubmissionError: one is missing or there twice; says so when only spaces or the separator are to blame.
    """
    for name in wanted:
        count = header.count(name)
        if count > 1:
            raise SubmissionError(f"the column {name} is there {count} times", path, "keep one")
        if not count:
            raise SubmissionError(
                f"the column {name!r} is missing", f"{path} has {list(header)}", _remedy(header, name)
            )
    return [header.index(name) for name in wanted]


def columns(header: Sequence[str], dialect: Dialect, path: Path) -> tuple[int, int, int]:
    """Where image, class and mask are; -1 for no class.

    Raises:
        SubmissionError: what `positions` refuses.
    """
    found = positions(header, dialect.header, path)
    return found[0], found[1] if dialect.columns.label is not None else -1, found[-1]


def _remedy(header: Sequence[str], name: str) -> str:
    if any(cell.strip() == name for cell in header):
        return "remove the spaces around the column's name"
    if any(cell.strip().lower() == name.lower() for cell in header):
        return "column names are matched to the letter, upper and lower case too"
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        return "separate the cells by commas"
    return "rename the columns, or choose the dialect they belong to"


def _not_text(path: Path) -> SubmissionError:
    return SubmissionError("the file is not UTF-8 text", path, "name a CSV file, unpacked and saved as UTF-8")
