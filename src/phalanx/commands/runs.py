"""`phalanx runs`: all runs of a folder, the best first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def runs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that holds the runs.")] = Path("runs"),
    *,
    sort: Annotated[
        Literal["dice", "test", "time", "memory", "date", "name"], typer.Option(help="What they are sorted by.")
    ] = "dice",
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all that is known as CSV.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="PAGE.html", help="Write a page with charts.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what the options above name.")] = False,
) -> None:
    """List runs: out-of-fold Dice with its 95 % interval, how far each is behind the best, test Dice, time and memory.

    Behind: the difference on the cases that both have scored, its interval and the p-value of a permutation test, both
    over groups (people). Examples:

    phalanx runs

    phalanx runs runs --sort date --csv runs.csv --html runs.html
    """
    from phalanx.commands import _results, _runs_listed, _runs_table

    outputs = {"--csv": csv, "--json": json, "--html": html}
    _results.check(outputs, [], overwrite)
    found = _runs_listed.ordered(_runs_listed.find(folder), sort)
    best, gaps = _runs_listed.gaps(found)
    _runs_table.show(found, best, gaps)
    rows = _runs_table.rows(found, best, gaps)
    if csv is not None:
        cells = [["" if value is None else value for value in row.values()] for row in rows]
        _results.write_csv(csv, [list(rows[0]), *cells])
    if json is not None:
        _results.write_json(json, rows)
    if html is not None:
        from phalanx.view import runs as page

        page.write(rows, list(_runs_table.sentences(found, best, gaps)), f"phalanx runs {folder}", html)
    for path in outputs.values():
        if path is not None:
            print(f"Wrote {path}")
