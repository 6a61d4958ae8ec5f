"""The table of people that comes with the hand-bone layout, `meta_data.xlsx`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from phalanx.datasets import _base

# Headings of the original sheet and their English forms; the sixth column has no heading and holds one kind of note.
HEADINGS = {
    "id": "id",
    "나이": "age",
    "age": "age",
    "성별": "sex",
    "sex": "sex",
    "gender": "sex",
    "체중(몸무게)": "weight",
    "weight": "weight",
    "키(신장)": "height",
    "height": "height",
    "nail": "nail",
    "nailart": "nail",
}
SEXES = {
    "여": "F",
    "여자": "F",
    "여성": "F",
    "f": "F",
    "female": "F",
    "남": "M",
    "남자": "M",
    "남성": "M",
    "m": "M",
    "male": "M",
}


def read(file: Path, notes: _base.Notes) -> dict[int, dict[str, Any]]:
    """Rows by the integer ID: age, sex (`F`, `M` or empty), weight in kg, height in cm, nail (art on the nails).

    A table that is absent is no finding; one that cannot be read is.
    """
    if not file.is_file():
        return {}
    import zipfile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(file, read_only=True, data_only=True)
        rows = [tuple(row) for row in book.worksheets[0].iter_rows(values_only=True)]
        book.close()
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile, InvalidFileException) as error:
        notes.warning("", "the table of people cannot be read", f"{file.name} ({error})", "age and sex are unknown")
        return {}
    heads = [str(value or "").strip().lower() for value in (rows[0] if rows else ())]
    # A reader of sheets may cut empty cells off a row's end, and the sixth heading is empty.
    heads += [""] * (max(map(len, rows), default=0) - len(heads))
    columns = {HEADINGS[head]: index for index, head in enumerate(heads) if head in HEADINGS}
    if "id" not in columns:
        notes.warning("", "the table of people has no column ID", f"{file.name} has {heads}", "age and sex are unknown")
        return {}
    if "nail" not in columns:
        unnamed = [index for index, head in enumerate(heads) if not head or head.startswith("unnamed")]
        columns.update({"nail": unnamed[0]} if unnamed else {})
    return _rows(rows[1:], columns, notes)


def _rows(rows: list[tuple[Any, ...]], columns: dict[str, int], notes: _base.Notes) -> dict[int, dict[str, Any]]:
    people: dict[int, dict[str, Any]] = {}
    for line, row in enumerate(rows, start=2):
        value = {name: row[index] if index < len(row) else None for name, index in columns.items()}
        if all(cell is None for cell in value.values()):
            continue
        number = _number(value.pop("id"))
        if number is None or number != int(number):
            notes.warning("", "a row of the table of people has no ID", f"row {line}", "it is passed over")
            continue
        if int(number) in people:
            notes.warning(
                "", "an ID is twice in the table of people", f"{int(number)} in row {line}", "the first counts"
            )
            continue
        person: dict[str, Any] = {}
        for name, cell in value.items():
            if name == "sex":
                person[name] = sex(cell)
                if not person[name]:
                    notes.warning("", "a sex cannot be read", f"{cell!r} in row {line}", "write F or M")
            elif name == "nail":
                person[name] = bool(str(cell or "").strip()) and str(cell).strip().lower() not in ("false", "0")
            else:
                person[name] = _number(cell)
        people[int(number)] = person
    return people


def sex(cell: object) -> str:
    """`F`, `M`, or empty: the original has six spellings, with an escaped backspace character and stray blanks."""
    return SEXES.get(str(cell).replace("_x0008_", "").replace("\b", "").strip().lower(), "")


def _number(cell: object) -> float | int | None:
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return cell
    try:
        return float(str(cell).strip())
    except ValueError:
        return None
