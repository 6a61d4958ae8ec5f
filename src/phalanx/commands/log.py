"""`phalanx log`: recipes, their out-of-fold scores, and what the leaderboard said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from phalanx.ensemble.journal import Agreement, Entry


def log(
    recipe: Annotated[
        Path | None, typer.Argument(metavar="RECIPE.yaml", help="The recipe to note; the log is shown without.")
    ] = None,
    *,
    public: Annotated[float | None, typer.Option(metavar="SCORE", help="On the public leaderboard, 0 to 1.")] = None,
    private: Annotated[float | None, typer.Option(metavar="SCORE", help="On the private leaderboard.")] = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="Anything worth knowing.")] = None,
    oof: Annotated[
        float | None, typer.Option(metavar="SCORE", help="Out-of-fold, where the recipe does not say it.")
    ] = None,
    file: Annotated[Path, typer.Option(metavar="LOG.csv", help="The log.")] = Path("ensembles/log.csv"),
    html: Annotated[
        Path | None, typer.Option(metavar="PAGE.html", help="Write a page with the scores as a picture.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what --html names.")] = False,
) -> None:
    """Note what a recipe scored, or show how far out-of-fold scores and the leaderboard agree.

    A recipe has one line: the same file noted again completes it. Examples:

    phalanx log ensembles/final.yaml --public 0.97 --note "first try"

    phalanx log ensembles/final.yaml --private 0.9729

    phalanx log --html log.html
    """
    from phalanx.commands import _results
    from phalanx.ensemble import journal

    told = {"public": public, "private": private, "oof": oof, "note": None if note is None else " ".join(note.split())}
    if recipe is None and any(value is not None for value in told.values()):
        option = next(name for name, value in told.items() if value is not None)
        raise typer.BadParameter("needs the RECIPE.yaml that it belongs to", param_hint=f"--{option}")
    if recipe is not None and recipe.resolve() == file.resolve():
        raise typer.BadParameter(f"{file} is the log itself", param_hint="--file")
    _results.check({"--html": html}, [path for path in (file, recipe) if path is not None], overwrite)
    entries = journal.load(file)
    if recipe is not None:
        entries = _note(entries, recipe, file, told)
    elif not entries:
        _refuse_empty(file)
    _show(entries)
    if html is not None:
        _write(entries, html)


def _note(entries: list[Entry], recipe: Path, file: Path, told: dict[str, object]) -> list[Entry]:
    from datetime import date

    from phalanx.ensemble import journal

    after, entry = journal.add(entries, recipe, file.parent, date.today().isoformat(), told)
    journal.save(file, after)
    before = next((old for old in entries if old.sha256 == entry.sha256), None)
    if before is None:
        print(f"Added {entry.recipe} to {file}")
        return after
    values = [(name, getattr(before, name), getattr(entry, name)) for name in journal.COLUMNS]
    changes = [f"{name} {_was(old)}{new}" for name, old, new in values if old != new]
    print(f"{entry.recipe} in {file}: {', '.join(changes) or 'nothing new'}")
    return after


def _was(old: object) -> str:
    return "" if old in (None, "") else f"{old} -> "


def _refuse_empty(file: Path) -> None:
    from phalanx.core.errors import ConfigError

    raise ConfigError("there is no log yet", file, "note a recipe: phalanx log RECIPE.yaml --public 0.97")


def _show(entries: Sequence[Entry]) -> None:
    from rich.console import Console

    from phalanx.ensemble import journal

    console = Console()
    console.print(_table(entries), highlight=False)
    rows = _rows(journal.agreements(entries))
    if len(rows) > 1:
        console.print()
        console.print(_plain(rows), highlight=False)
    for line in _sentences(entries):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _table(entries: Sequence[Entry]) -> Table:
    headings = ("date", "recipe", "oof", "nested", "95 %", "public", "private", "note")
    rows = [
        (
            entry.date, entry.recipe, _number(entry.oof), _number(entry.nested),
            "" if entry.low is None else f"{_number(entry.low)}-{_number(entry.high)}",
            _number(entry.public), _number(entry.private), entry.note,
        )
        for entry in entries
    ]  # fmt: skip
    kept = [place for place in range(len(headings)) if place < 3 or any(row[place] for row in rows)]
    return _plain([[row[place] for place in kept] for row in (headings, *rows)])


def _rows(agreements: Sequence[Agreement]) -> list[list[str]]:
    """Headings, and a line a kind of score and leaderboard."""
    rows = [["scores", "entries", "Spearman", "Pearson", "difference", "spread", "same order"]]
    for found in agreements:
        said = [f"{found.ours} / {found.theirs}", str(found.entries)]
        if found.difference is None:
            rows.append([*said, "too few", "", "", "", ""])
            continue
        differences = [f"{found.difference:+.4f}", f"{found.spread:.4f}"]
        correlations = ["equal" if value is None else f"{value:+.2f}" for value in (found.spearman, found.pearson)]
        rows.append([*said, *correlations, *differences, f"{found.same} of {found.pairs}"])
    return rows


def _plain(rows: Sequence[Sequence[str]]) -> Table:
    """A table, the first row its headings; what begins with a digit or a sign is set flush right."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading, *cells in zip(*rows, strict=True):
        number = heading not in ("date", "recipe", "scores", "note")
        table.add_column(heading, justify="right" if number else "left", no_wrap=number or not cells, overflow="fold")
    for row in rows[1:]:
        table.add_row(*map(Text, row))
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _sentences(entries: Sequence[Entry]) -> list[str]:
    """What to be careful about, and which entries lie outside their interval."""
    from phalanx.ensemble import journal

    found = []
    most = max((agreement.entries for agreement in journal.agreements(entries)), default=0)
    if most < journal.FEWEST:
        said = "no entry has" if not most else f"{most} {'entry has' if most == 1 else 'entries have'}"
        found.append(
            f"Too few to judge: {said} both an out-of-fold and a leaderboard score; {journal.FEWEST} are needed"
        )
    metrics = sorted({entry.metric for entry in entries if entry.metric})
    if len(metrics) > 1:
        found.append(f"warning: the scores are of different metrics ({', '.join(metrics)}) and cannot be compared")
    for board in ("public", "private"):
        known = [entry for entry in entries if getattr(entry, board) is not None and entry.low is not None]
        inside = sum((entry.low or 0) <= getattr(entry, board) <= (entry.high or 0) for entry in known)
        if known:
            found.append(f"The {board} score lies within the 95 % interval of {inside} of {len(known)} entries")
    return found


def _write(entries: Sequence[Entry], path: Path) -> None:
    from phalanx.ensemble import journal
    from phalanx.view import leaderboard

    rows = [
        leaderboard.Row(
            entry.date, entry.recipe, entry.oof, entry.nested,
            None if entry.low is None or entry.high is None else (entry.low, entry.high),
            entry.public, entry.private, entry.note,
        )
        for entry in entries
    ]  # fmt: skip
    leaderboard.write(rows, _rows(journal.agreements(entries)), _sentences(entries), path)
    print(f"Wrote {path}")
