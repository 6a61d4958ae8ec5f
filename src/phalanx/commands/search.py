"""`phalanx search`: members, weights, thresholds and post-processing, found on out-of-fold predictions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from phalanx.commands import _options

if TYPE_CHECKING:
    from phalanx.commands._searched import Searched


def search(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN ...", help="Run folders, members of runs, or stores.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="NAME.yaml", help="The recipe to write.")],
    space: Annotated[Literal["logits", "probability"], typer.Option(help="In which members are averaged.")] = "logits",
    metric: Annotated[Literal["dice", "iou"], typer.Option(help="What is maximised, mean over cases, then classes.")]
    = "dice",
    stages: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Of members, threshold, class weights, thresholds, steps; all if not told."),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Folds of the nested estimate, and within a stage.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Divides the groups into folds.")] = 0,
    always: Annotated[
        bool, typer.Option("--always", help="Take every stage that gains, even if the gain may be luck.")
    ] = False,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Fit a temperature to each member before averaging.")
    ] = False,
    limit: Annotated[
        float, typer.Option(min=0.6, max=0.99, help="Highest threshold tried; the lowest is 1 - LIMIT.")
    ] = 0.95,
    truth: Annotated[
        Path | None, typer.Option(metavar="DATA", help="The data set with the truth; that of the run if not told.")
    ] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Use the cases that all stores have.")] = False,
    dialect: Annotated[str | None, typer.Option(help="How the ensemble will write its submission.")] = None,
    reader: Annotated[str | None, typer.Option(help="Reader of DATA; guessed if not told.")] = None,
    option: _options.ReaderOptions = None,
    patch: Annotated[Path | None, typer.Option(help="Corrections of the labels of DATA, as data.patch.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace NAME.yaml and NAME.html.")] = False,
) -> None:  # fmt: skip
    """Search an ensemble on out-of-fold predictions, and say what it gains on people it did not see.

    Writes the recipe NAME.yaml for `phalanx ensemble` and a page NAME.html. A stage whose gain on other groups may be
    luck is left out. Run again after a stop, it goes on. Examples:

    phalanx search runs/phantom -o ensembles/found.yaml

    phalanx search runs/hrnet runs/densenet -o ensembles/final.yaml --stages members,threshold --space probability
    """
    from phalanx.commands import _found, _results, _searched

    page = output.with_suffix(".html")
    if output.suffix.lower() not in (".yaml", ".yml"):
        raise typer.BadParameter(f"{output} must end in .yaml", param_hint="-o")
    _results.check({"-o": output, "the page of -o": page}, runs, overwrite)
    if patch is not None and truth is None:
        raise typer.BadParameter("goes with --truth; the run's own labels have its own patch", param_hint="--patch")
    settings = _searched.Settings(
        space=space, metric=metric, stages=_searched.stages(stages), folds=folds, seed=seed, always=always,
        calibrate=calibrate, limit=limit, partial=partial, dialect=dialect,
    )  # fmt: skip
    reading = _found.Reading(reader, tuple(option or ()), patch=patch)
    done = _searched.work(runs, truth, reading, settings, output)
    _show(done, output, page)


def _show(done: Searched, output: Path, page: Path) -> None:
    from rich.console import Console

    from phalanx.commands import _searched

    # In a pipe there is no width to keep to.
    console = Console(width=None if sys.stdout.isatty() else 120)
    for table in (_searched.states(done), _searched.members(done)):
        console.print(table, highlight=False)
    for line in _searched.sentences(done):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    print(f"Wrote {output} and {page}")
