"""`phalanx lint`: everything a scoring server could reject, named by row."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from phalanx.submit.lint import Problem

# Problems that are shown; the rest is counted.
SHOWN = 20


def lint(
    submission: Annotated[Path, typer.Argument(metavar="SUB.csv", help="The submission.")],
    *,
    sample: Annotated[
        Path | None, typer.Option(metavar="SAMPLE.csv", help="The sample submission: its rows are those there must be.")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="HxW", help="Height x width of every image; without it runs are not held to the image."),
    ] = None,
    dialect: Annotated[str, typer.Option(help="How the file is written.")] = "handbone",
) -> None:
    """Find whatever a scoring server could reject in a submission: columns, rows, classes, malformed runs.

    Exits with 1 when there is an error. Example:

    phalanx lint submission.csv --sample sample_submission.csv --size 2048x2048
    """
    from phalanx.mask.dialect import DIALECTS
    from phalanx.submit import lint as linter

    if dialect not in DIALECTS:
        raise typer.BadParameter(f"{dialect!r} is none of {', '.join(DIALECTS)}", param_hint="--dialect")
    pixels = _size(size)
    problems = linter.lint(submission, DIALECTS[dialect], pixels, None, sample)
    errors = [problem for problem in problems if problem.level == "error"]
    warnings = [problem for problem in problems if problem.level == "warning"]
    for problem in (errors + warnings)[:SHOWN]:
        print(_text(problem))
    if len(problems) > SHOWN:
        print(f"... and {len(problems) - SHOWN} more")
    print(f"{submission}: {_count(len(errors), 'error')}, {_count(len(warnings), 'warning')}" + _left_out(size, sample))
    if errors:
        raise typer.Exit(1)


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch("([1-9][0-9]{0,5})x([1-9][0-9]{0,5})", text)
    if not match:
        raise typer.BadParameter(f"{text!r} is not height x width, as in 2048x2048", param_hint="--size")
    return int(match[1]), int(match[2])


def _text(problem: Problem) -> str:
    where = f" line {problem.line}" * bool(problem.line) + f" {problem.key}" * bool(problem.key)
    return f"{problem.level}{where}: {problem.message}"


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'s' * (number != 1)}"


def _left_out(size: str | None, sample: Path | None) -> str:
    """What was not checked, so that nobody takes silence for a pass."""
    absent = ["--size (bounds)"] * (size is None) + ["--sample (which rows there must be)"] * (sample is None)
    return f"; not checked without {' and '.join(absent)}" if absent else ""
