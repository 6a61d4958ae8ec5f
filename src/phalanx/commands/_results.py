"""Results: the files that a command writes beside what it says."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from phalanx.core import files
from phalanx.core.errors import SubmissionError


def check(outputs: Mapping[str, Path | None], inputs: Sequence[Path], overwrite: bool) -> None:
    """Refuse results that would replace an input, each other, or a file that nobody gave up.

    Raises:
        SubmissionError: the file is there.
        typer.BadParameter: the name is taken.
    """
    taken = {path.resolve(): str(path) for path in inputs}
    for option, path in outputs.items():
        if path is None:
            continue
        if path.resolve() in taken:
            raise typer.BadParameter(f"{path} is named twice; choose another name", param_hint=option)
        taken[path.resolve()] = str(path)
        if path.is_dir():
            raise typer.BadParameter(f"{path} is a folder; name a file", param_hint=option)
        if path.exists() and not overwrite:
            raise SubmissionError("the file exists already", path, "choose another name, or say --overwrite")


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Rows as CSV, whole or not at all."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    files.write_text(path, text.getvalue())


def write_json(path: Path, value: Any) -> None:
    """Plain data as JSON, whole or not at all; names stay as they are."""
    files.write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
