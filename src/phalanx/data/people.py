"""People: the hand-bone layout's table of people as a clean one, with the part of the data set each belongs to."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from phalanx.core import files
from phalanx.core.case import Finding
from phalanx.core.errors import DataError
from phalanx.datasets import _base, _handbone_table

if TYPE_CHECKING:
    import pandas as pd

# Name of ours -> the reader's.
_COLUMNS = {"age": "age", "sex": "sex", "weight_kg": "weight", "height_cm": "height", "nail_art": "nail"}


def read(file: Path) -> tuple[pd.DataFrame, list[Finding]]:
    """The table of people, one row each, and what was odd in it.

    Returns:
        Columns `id` (`ID001`), `age` in years, `sex` (`F`, `M`; empty where it cannot be read), `weight_kg`,
        `height_cm` and `nail_art` (of the column without a name), sorted by id; and the findings.

    Raises:
        DataError: there is no such file, or it is no such table.
    """
    import pandas

    if not file.is_file():
        raise DataError("there is no table of people", file, "name the data set's meta_data.xlsx")
    notes = _base.Notes()
    people = _handbone_table.read(file, notes)
    if not people:
        seen = notes.findings[0].message if notes.findings else file
        raise DataError("the table of people cannot be used", seen, "save it as .xlsx with a column ID")
    rows = [
        {"id": f"ID{number:03d}", **{ours: person.get(theirs) for ours, theirs in _COLUMNS.items()}}
        for number, person in sorted(people.items())
    ]
    return pandas.DataFrame(rows, columns=["id", *_COLUMNS]), list(notes.findings)


def with_parts(table: pd.DataFrame, root: Path) -> pd.DataFrame:
    """The table with `part` (`train`, `test`, or empty: the person is not in the folders) and `images` of each person.

    The competition's table lists six people more than its folders hold; whoever is not in `test` is not in `train` for
    that.

    Raises:
        DataError: a person is in both parts.
    """
    counts = {part: _images(root / part / "DCM") for part in ("train", "test")}
    both = sorted(counts["train"].keys() & counts["test"].keys())
    if both:
        raise DataError("a person is in the training and in the test part", both[0], "look at both folders")
    known = {person: (part, count) for part, found in counts.items() for person, count in found.items()}
    places = [known.get(person, ("", 0)) for person in table["id"]]
    return table.assign(part=[part for part, _ in places], images=[count for _, count in places])


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, whole or not at all; cells that are not known stay empty."""
    text = io.StringIO()
    table.to_csv(text, index=False, lineterminator="\n")
    files.write_text(path, text.getvalue())


def _images(folder: Path) -> dict[str, int]:
    """Images of each person, by id as the table writes it."""
    found: dict[str, int] = {}
    for person in sorted(folder.iterdir()) if folder.is_dir() else ():
        number = re.fullmatch(r"ID0*(\d+)", person.name)
        if number and person.is_dir():
            found[f"ID{int(number[1]):03d}"] = len(_base.walk(person, _base.SUFFIXES))
    return found
