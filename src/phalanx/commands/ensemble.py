"""`phalanx ensemble`: run a recipe, write the submission and how it was made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from phalanx.commands import _options

if TYPE_CHECKING:
    from phalanx.commands._ensembled import Written
    from phalanx.commands._found import Reading


def ensemble(
    members: Annotated[
        list[Path], typer.Argument(metavar="RECIPE.yaml | RUN ...", help="A recipe; or runs, members of runs, stores.")
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.csv", help="The submission to write.")],
    part: Annotated[
        Literal["test", "oof"], typer.Option(help="Which predictions of a run: test, or out-of-fold.")
    ] = "test",
    weights: Annotated[str | None, typer.Option(metavar="2,1,1", help="One a member, when no recipe says it.")] = None,
    space: Annotated[
        Literal["logits", "probability"] | None, typer.Option(help="In which members are averaged. Default logits.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(min=0.001, max=0.999, help="Probability. Default 0.5.")] = None,
    dialect: Annotated[str | None, typer.Option(help="How OUT.csv is written. Default: as the run says.")] = None,
    truth: Annotated[Path | None, typer.Option(metavar="DATA", help="Score the result: a data set or a CSV.")] = None,
    sample: Annotated[
        Path | None, typer.Option(metavar="SAMPLE.csv", help="A sample submission to be held to.")
    ] = None,
    reader: Annotated[str | None, typer.Option(help="Reader of DATA; guessed if not told.")] = None,
    option: _options.ReaderOptions = None,
    patch: Annotated[Path | None, typer.Option(help="Corrections of the labels of DATA, as data.patch.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.csv and OUT.yaml.")] = False,
    threads: Annotated[int, typer.Option(min=0, help="Threads; one a core if not told.")] = 0,
) -> None:  # fmt: skip
    """Run an ensemble: average members, cut, post-process, write a submission that its own lint accepts.

    Beside OUT.csv a recipe OUT.yaml says what went into it; run again, it gives the same bytes, or refuses when a
    member has changed. Examples:

    phalanx ensemble ensembles/phantom_soft.yaml -o submission.csv

    phalanx ensemble runs/hrnet runs/densenet -o mean.csv --weights 2,1

    phalanx ensemble ensembles/phantom_soft.yaml -o oof.csv --part oof --truth data/hands
    """
    from phalanx.commands import _ensembled
    from phalanx.core.errors import ConfigError

    told = {"space": space, "threshold": threshold, "dialect": dialect}
    recipe = _ensembled.recipe(members, weights, {key: value for key, value in told.items() if value is not None}, part)
    if isinstance(recipe, Path):
        if sample is not None:
            raise ConfigError("a vote takes no options but its recipe's", "sample", "say phalanx lint OUT.csv --sample")
        _vote(recipe, output, part, overwrite=overwrite, threads=threads)
    else:
        written = _ensembled.write(recipe, members, output, part, sample=sample, overwrite=overwrite, threads=threads)
        _show(written, output)
    if truth is not None:
        from phalanx.commands import _found

        name = _ensembled.dialect_of(output)
        _score(truth, output, name, _found.Reading(reader, tuple(option or ()), patch=patch))


def _vote(recipe: Path, output: Path, part: Literal["test", "oof"], *, overwrite: bool, threads: int) -> None:
    """A recipe of votes; its soft members are written beside the result first."""
    from phalanx.commands import _ensembled_vote
    from phalanx.commands.vote import vote

    with _ensembled_vote.only_files(recipe, output, part, overwrite=overwrite, threads=threads) as plain:
        vote([plain], output=output, overwrite=overwrite, threads=threads)


def _show(written: Written, output: Path) -> None:
    from rich.console import Console

    from phalanx.commands import _ensembled

    console = Console()
    console.print(_ensembled.table(written), highlight=False)
    for line in _ensembled.sentences(written):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    print(f"Wrote {output} ({written.rows} rows of {written.cases} images) and {output.with_suffix('.yaml')}")


def _score(truth: Path, output: Path, dialect: str, reading: Reading) -> None:
    from rich.console import Console

    from phalanx.commands import _found, _scored
    from phalanx.mask import dialect as dialects

    written = dialects.named(dialect)
    found = [
        _found.find(truth, written, reading),
        _found.find(output, written, _found.Reading()),
    ]
    note = _found.unpatched(found, reading)
    # A data set may hold the truth of other images too; what is left out is said.
    scored = _scored.work(found, ("dice", "iou"), None, None, partial=True)
    console = Console()
    console.print(_scored.classes(scored), highlight=False)
    for line in (*_scored.sentences(scored), *([note] if note else [])):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
