"""How the files of a command are written: a dialect by name, and what differs from it by option."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from phalanx.mask.dialect import Dialect


def chosen(
    name: str,
    columns: str | None = None,
    order: str | None = None,
    base: int | None = None,
    empty: str | None = None,
    *,
    side: str = "",
) -> Dialect:
    """The dialect of a name, changed by what the options say.

    Args:
        name: of a dialect.
        columns: names of the columns, `image,class,rle` or `image,rle`.
        order: `row` or `column`.
        base: the number of the first pixel, 0 or 1.
        empty: what stands for a mask without a pixel.
        side: `from` or `to`, where a command has options for two (`--from`, `--from-columns`).

    Raises:
        typer.BadParameter: no such dialect, or a value that a dialect cannot have.
    """
    from phalanx.mask.dialect import DIALECTS

    if name not in DIALECTS:
        hint = f"--{side or 'dialect'}"
        raise typer.BadParameter(f"{name!r} is none of {', '.join(DIALECTS)}", param_hint=hint)
    dialect = DIALECTS[name]
    try:
        if columns is not None:
            dialect = _with_columns(dialect, columns)
        return _with_numbers(dialect, order, base, empty)
    except _UnfitError as error:
        option, wrong = error.args
        raise typer.BadParameter(wrong, param_hint=f"--{side}-{option}" if side else f"--{option}") from None


class _UnfitError(Exception):
    """An option's name, and what is wrong with its value."""


def _with_columns(dialect: Dialect, columns: str) -> Dialect:
    from phalanx.mask.dialect import Columns

    names = [column.strip() for column in columns.split(",")]
    if len(names) not in (2, 3) or not all(names) or len(set(names)) < len(names):
        raise _UnfitError("columns", f"{columns!r} is not image,class,rle or image,rle")
    label = names[1] if len(names) == 3 else None
    joint = dialect.joint if label is None else None
    return replace(dialect, columns=Columns(names[0], label, names[-1]), joint=joint)


def _with_numbers(dialect: Dialect, order: str | None, base: int | None, empty: str | None) -> Dialect:
    if order is not None:
        if order not in ("row", "column"):
            raise _UnfitError("order", f"{order!r} is neither row nor column")
        dialect = replace(dialect, order=order)
    if base is not None:
        if base not in (0, 1):
            raise _UnfitError("base", f"{base} is neither 0 nor 1")
        dialect = replace(dialect, base=base)
    if empty is not None:
        if fault := _not_empty(empty, dialect):
            raise _UnfitError("empty", f"{empty!r} {fault}")
        dialect = replace(dialect, empty=empty.strip(" "), empties=(empty.strip(" "),))
    return dialect


def _not_empty(text: str, dialect: Dialect) -> str:
    """Why a text cannot stand for a mask without a pixel; "" when it can."""
    from phalanx.core.errors import SubmissionError
    from phalanx.mask import rle

    if any(mark in text for mark in ',"\r\n\0'):
        return "would have to be quoted"
    try:
        found = rle.parse(text, replace(dialect, empties=()))
    except SubmissionError:
        return ""
    return f"is a mask of {int((found[:, 1] - found[:, 0]).sum())} pixels"


def parse_size(text: str, option: str = "--size") -> tuple[int, int]:
    """`(height, width)` of a text such as `2048x1024`.

    Raises:
        typer.BadParameter: the text is something else.
    """
    match = re.fullmatch("([1-9][0-9]{0,5})x([1-9][0-9]{0,5})", text)
    if not match:
        raise typer.BadParameter(f"{text!r} is not height x width, as in 2048x2048", param_hint=option)
    return int(match[1]), int(match[2])
