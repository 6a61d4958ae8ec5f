"""`phalanx score`: per class and per case scores of predictions against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from phalanx.commands import _options

if TYPE_CHECKING:
    from phalanx.commands._found import Found
    from phalanx.commands._scored import Scored


def score(
    pred: Annotated[Path, typer.Argument(metavar="PRED", help="A CSV, a run folder, a store, or a data set.")],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="The same; usually a data set or a CSV.")],
    *,
    dialect: Annotated[str, typer.Option(help="How the CSVs are written.")] = "handbone",
    columns: _options.Columns = None,
    order: _options.Order = None,
    base: _options.Base = None,
    empty: _options.Empty = None,
    truth_dialect: Annotated[str | None, typer.Option(help="How TRUTH is written, where it differs from PRED.")] = None,
    truth_columns: Annotated[
        str | None, typer.Option(metavar="image,class,rle", help="Names of the columns of TRUTH, where they differ.")
    ] = None,
    size: _options.Size = None,
    metric: Annotated[Literal["dice", "iou"] | None, typer.Option(help="One of them; both if not told.")] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="OTHER", help="Another prediction: is PRED better on the same images?")
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(metavar="GROUPS.csv", help="Columns image,group: which images belong to one person."),
    ] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Score the rows that all have; the rest is counted.")]
    = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a table of case x class.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the scores as JSON.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what --csv and --json name.")] = False,
    reader: _options.Reader = None,
    option: _options.ReaderOptions = None,
    patch: _options.Patch = None,
    rasteriser: _options.Rasteriser = "opencv",
) -> None:  # fmt: skip
    """Score predictions: Dice and IoU of every class and case, means with 95 % intervals over groups (people).

    Rows are matched by image and class; missing, extra and repeated ones are refused. Examples:

    phalanx score submission.csv truth.csv --csv cases.csv --json scores.json

    phalanx score runs/phantom data/hands

    phalanx score new.csv truth.csv --against old.csv --groups people.csv
    """
    from phalanx.commands import _dialect, _found, _results, _scored

    written = _dialect.chosen(dialect, columns, order, base, empty)
    of_truth = written
    if truth_dialect is not None or truth_columns is not None:
        kept = (None, None, None) if truth_dialect else (order, base, empty)
        of_truth = _dialect.chosen(truth_dialect or dialect, truth_columns, *kept)
    pixels = None if size is None else _dialect.parse_size(size)
    inputs = [path for path in (pred, truth, against, groups) if path is not None]
    _results.check({"--csv": csv, "--json": json}, inputs, overwrite)
    reading = _found.Reading(reader, tuple(option or ()), rasteriser, patch)
    found: list[Found] = [_found.find(truth, of_truth, reading), _found.find(pred, written, reading)]
    if against is not None:
        found.append(_found.find(against, written, reading))
    note = _found.unpatched(found, reading)
    scored = _scored.work(found, (metric,) if metric else ("dice", "iou"), pixels, groups, partial=partial)
    _show(scored)
    if note:
        print(note)
    _write(scored, csv, json)


def _show(scored: Scored) -> None:
    from rich.console import Console

    from phalanx.commands import _scored

    console = Console()
    for table in (_scored.classes(scored), _scored.worst(scored)):
        console.print(table, highlight=False)
    for line in _scored.sentences(scored):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _write(scored: Scored, csv: Path | None, json: Path | None) -> None:
    from phalanx.commands import _results, _scored

    if csv is not None:
        _results.write_csv(csv, _scored.rows(scored))
    if json is not None:
        _results.write_json(json, scored.entries)
    for path in (csv, json):
        if path is not None:
            print(f"Wrote {path}")
