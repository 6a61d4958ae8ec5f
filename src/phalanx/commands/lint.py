"""`phalanx lint`: everything a scoring server could reject, named by row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phalanx.commands import _options

if TYPE_CHECKING:
    from phalanx.mask.dialect import Dialect
    from phalanx.submit._lint_seen import Problem
    from phalanx.submit.lint import Report

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
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The images: sizes from their headers; without --sample each must be there."),
    ] = None,
    max_mb: Annotated[
        float | None, typer.Option(metavar="MB", min=0, help="The largest file that the server takes, in 10^6 bytes.")
    ] = None,
    dialect: Annotated[str, typer.Option(help="How the file is written.")] = "handbone",
    columns: _options.Columns = None,
    order: Annotated[
        str | None, typer.Option(metavar="row|column", help="Whether pixels are counted along rows or columns.")
    ] = None,
    base: Annotated[int | None, typer.Option(metavar="0|1", help="The number of the first pixel.")] = None,
    empty: _options.Empty = None,
) -> None:
    """Find whatever a scoring server could reject in a submission: columns, rows, classes, malformed runs.

    Exits with 1 when there is an error. Examples:

    phalanx lint submission.csv --sample sample_submission.csv --size 2048x2048

    phalanx lint submission.csv --images test_images --dialect severstal --max-mb 100
    """
    from phalanx.commands import _dialect
    from phalanx.submit import lint as linter

    if size is not None and images is not None:
        raise typer.BadParameter("give --size or --images, not both", param_hint="--size")
    written = _dialect.chosen(dialect, columns, order, base, empty)
    pixels = _dialect.parse_size(size) if size is not None else None if images is None else _sizes(images, written)
    report = linter.examine(submission, written, pixels, None, sample, most_megabytes=max_mb)
    groups = {
        level: [problem for problem in report.problems if problem.level == level]
        for level in ("error", "warning", "note")
    }
    for problem in [problem for group in groups.values() for problem in group][:SHOWN]:
        print(_text(problem))
    if len(report.problems) > SHOWN:
        print(f"... and {len(report.problems) - SHOWN} more")
    counts = [_count(len(groups[level]), level) for level in groups if groups[level] or level != "note"]
    # Without --sample the images say which there must be.
    told = [option for option, value in (("size", pixels), ("sample", sample or images)) if value is not None]
    print(f"{submission}: {', '.join(counts)}{_left_out(told)}; {_read(report)}")
    if groups["error"]:
        raise typer.Exit(1)


def _sizes(folder: Path, dialect: Dialect) -> dict[str, tuple[int, int]]:
    """`(height, width)` of every image of a folder, by key."""
    from phalanx.core.errors import DataError
    from phalanx.datasets import _base

    notes = _base.Notes()
    headers = _base.headers(_base.images(folder, "folder of images", notes), notes)
    for finding in notes.findings:
        if finding.level == "error":
            raise DataError("the images do not tell their sizes", f"{finding.case}: {finding.message}")
    sizes: dict[str, tuple[int, int]] = {}
    for name, header in headers.items():
        if sizes.setdefault(dialect.key(name), header.size) != header.size:
            wrong, fix = "images of different sizes have one key", "name the folder of the test images alone"
            raise DataError(wrong, f"{dialect.key(name)} in {folder}", fix)
    return sizes


def _text(problem: Problem) -> str:
    where = f" line {problem.line}" * bool(problem.line) + f" {problem.key}" * bool(problem.key)
    return f"{problem.level}{where}: {problem.message}"


def _count(number: int, what: str) -> str:
    several = "es" if what.endswith("s") else "s"
    return f"{f'{number:,}' if number else 'no'} {what}{several * (number != 1)}"


def _left_out(told: list[str]) -> str:
    """What was not checked, so that nobody takes silence for a pass."""
    purposes = {"size": "--size (bounds)", "sample": "--sample (which rows there must be)"}
    absent = [text for option, text in purposes.items() if option not in told]
    return f"; not checked without {' and '.join(absent)}" if absent else ""


def _read(report: Report) -> str:
    counts = [_count(report.rows, "row"), _count(report.images, "image")]
    counts += [_count(report.classes, "class")] * bool(report.classes) + [_count(report.runs, "run")]
    return f"read {', '.join(counts)}"
