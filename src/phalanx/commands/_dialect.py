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
) -> Dialect:
    """The dialect of a name, changed by what the options say.

    Args:
        name: of a dialect.
        columns: names of the columns, `image,class,rle` or `image,rle`.
        order: `row` or `column`.
        base: the number of the first pixel, 0 or 1.
        empty: what stands for a mask without a pixel.

    Raises:
        typer.BadParameter: no such dialect, or a value that a dialect cannot have.
    """
    from phalanx.mask.dialect import DIALECTS, Columns

    if name not in DIALECTS:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(DIALECTS)}", param_hint="--dialect")
    dialect = DIALECTS[name]
    if columns is not None:
        names = [column.strip() for column in columns.split(",")]
        if len(names) not in (2, 3) or not all(names) or len(set(names)) < len(names):
            raise typer.BadParameter(f"{columns!r} is not image,class,rle or image,rle", param_hint="--columns")
        label = names[1] if len(names) == 3 else None
        joint = dialect.joint if label is None else None
        dialect = replace(dialect, columns=Columns(names[0], label, names[-1]), joint=joint)
    if order is not None:
        if order not in ("row", "column"):
            raise typer.BadParameter(f"{order!r} is neither row nor column", param_hint="--order")
        dialect = replace(dialect, order=order)
    if base is not None:
        if base not in (0, 1):
            raise typer.BadParameter(f"{base} is neither 0 nor 1", param_hint="--base")
        dialect = replace(dialect, base=base)
    if empty is not None:
        dialect = replace(dialect, empty=empty.strip(" "), empties=(empty.strip(" "),))
    return dialect


def parse_size(text: str, option: str = "--size") -> tuple[int, int]:
    """`(height, width)` of a text such as `2048x1024`.

    Raises:
        typer.BadParameter: the text is something else.
    """
    match = re.fullmatch("([1-9][0-9]{0,5})x([1-9][0-9]{0,5})", text)
    if not match:
        raise typer.BadParameter(f"{text!r} is not height x width, as in 2048x2048", param_hint=option)
    return int(match[1]), int(match[2])
