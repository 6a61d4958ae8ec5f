"""Tables of runs: at the end of a queue, and of `phalanx runs`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phalanx.commands import _runs_listed
from phalanx.commands._queue import Ended
from phalanx.commands._runs_listed import Gap, Run

if TYPE_CHECKING:
    from rich.table import Table

_WORDS = ("run", "state", "best")
# In this order columns give way to a narrow terminal.
_LEAVE_OUT = ("date", "folds", "95 % of it", "memory", "minutes", "best", "test", "p", "95 %")
_CHANCE = 0.05


def show_queue(ended: Sequence[Ended]) -> None:
    """Print one line a run of a queue, in its order."""
    headings = ("run", "state", "OOF Dice", "95 %", "minutes", "memory")
    rows = []
    for end in ended:
        # A run that did not come as far as its folder.
        there = (end.job.folder / "config.yaml").is_file()
        run = _runs_listed.read(end.job.folder) if there else None
        scores = ("", "", "", "") if run is None else (_score(run.dice), _bounds(run.interval), *_cost(run))
        rows.append((end.job.folder.name, "failed" if end.failure else "done", *scores))
    _print(_plain([headings, *rows]))


def show(runs: Sequence[Run], best: Sequence[Run], gaps: Mapping[Path, Gap]) -> None:
    """Print one line a run, and how sure it is that the best is the best."""
    headings = (
        "run", "state", "OOF Dice", "95 %", "behind", "95 % of it", "p", "best", "test", "minutes", "memory", "folds",
        "date",
    )  # fmt: skip
    rows = []
    for run in runs:
        gap = gaps.get(run.path)
        behind = ("", "", "") if gap is None else (f"{gap.mean:+.4f}", _bounds(gap.interval, sign=True), _chance(gap.p))
        # With one best of all there is no need to name it in every line.
        of = gap.best if gap is not None and len(best) > 1 else ""
        rows.append(
            (
                run.name, run.state, _score(run.dice), _bounds(run.interval), "best" if run in best else behind[0],
                *behind[1:], of, _score(run.test), *_cost(run), run.folds, f"{run.date:%Y-%m-%d %H:%M}",
            )
        )  # fmt: skip
    kept = [place for place in range(len(headings)) if place < 4 or any(row[place] for row in rows)]
    if all(run.state == "done" for run in runs):
        kept.remove(1)
    chosen, left = _fitting([[row[place] for place in kept] for row in (headings, *rows)])
    _print(_plain(chosen))
    for sentence in sentences(runs, best, gaps):
        _print(sentence)
    if left:
        _print(f"Not shown for want of room: {', '.join(left)}; --csv, --json and --html have everything")


def sentences(runs: Sequence[Run], best: Sequence[Run], gaps: Mapping[Path, Gap]) -> Iterator[str]:
    """What the table does not say: who is not behind by more than chance, and who was not compared."""
    for leader in best:
        alike = [
            run.name for run in runs if (gap := gaps.get(run.path)) and gap.best == leader.name and gap.p > _CHANCE
        ]
        if alike:
            test = f"p > {_CHANCE}, permutation test over people"
            yield f"Not behind {leader.name} by more than chance ({test}): {', '.join(alike)}"
    partly = [f"{run.name} ({gap.cases} of {run.cases})" for run in runs
              if (gap := gaps.get(run.path)) and gap.cases < (run.cases or 0)]  # fmt: skip
    if partly:
        yield f"Compared on the cases that the best has scored too: {', '.join(partly)}"
    alone = [run.name for run in runs if run.dice is not None and run not in best and run.path not in gaps]
    if alone:
        yield f"Not compared, for want of a cases.csv (phalanx report RUN writes it): {', '.join(alone)}"


def _fitting(rows: Sequence[Sequence[str]]) -> tuple[list[list[str]], list[str]]:
    """The columns that a terminal has room for, and the headings of those left out; all of them in a file or a pipe."""
    from rich.console import Console

    console = Console()
    columns = [list(column) for column in zip(*rows, strict=True)]
    left: list[str] = []
    for heading in _LEAVE_OUT:
        room = sum(max(map(len, column)) for column in columns) + 2 * (len(columns) - 1)
        if not console.is_terminal or room <= console.width:
            break
        left += [column[0] for column in columns if column[0] == heading]
        columns = [column for column in columns if column[0] != heading]
    return [list(row) for row in zip(*columns, strict=True)], left


def rows(runs: Sequence[Run], best: Sequence[Run], gaps: Mapping[Path, Gap]) -> list[dict[str, Any]]:
    """Everything that is known, a mapping a run, for files; None: not known."""
    return [
        {
            "run": run.name,
            "state": run.state,
            "config": run.config or None,
            "network": run.network or None,
            "seed": run.seed,
            "folds": run.folds or None,
            "date": run.date.isoformat(timespec="seconds"),
            "cases": run.cases,
            "dice": run.dice,
            "low": run.interval[0] if run.interval else None,
            "high": run.interval[1] if run.interval else None,
            "test_dice": run.test,
            "seconds": run.seconds,
            "memory_bytes": run.memory,
            "device_bytes": run.device,
            "best": gap.best if (gap := gaps.get(run.path)) else run.name if run in best else None,
            "behind": gap.mean if gap else None,
            "behind_low": gap.interval[0] if gap else None,
            "behind_high": gap.interval[1] if gap else None,
            "p": gap.p if gap else None,
            "compared_cases": gap.cases if gap else None,
        }
        for run in runs
    ]


def _cost(run: Run) -> tuple[str, str]:
    """Minutes, and the memory of what is scarcer: the accelerator where there was one."""
    memory = run.device if run.device is not None else run.memory
    place = "" if run.device is None else " GPU"
    minutes = "" if run.seconds is None else f"{run.seconds / 60:.1f}"
    return minutes, "" if memory is None else f"{memory / 2**30:.2f} GiB{place}"


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _bounds(bounds: tuple[float, float] | None, sign: bool = False) -> str:
    form = "{:+.4f}" if sign else "{:.4f}"
    return "" if bounds is None else f"[{form.format(bounds[0])}, {form.format(bounds[1])}]"


def _chance(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _plain(rows: Sequence[Sequence[str]]) -> Table:
    """A table, the first row its headings."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in rows[0]:
        word = heading in _WORDS
        table.add_column(heading, justify="left" if word else "right", no_wrap=not word, overflow="fold")
    for row in rows[1:]:
        # Text is not searched for markup: names stay what they are.
        table.add_row(*map(Text, row))
    return table


def _print(what: Any) -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        # A file or a pipe has no edge.
        console = Console(width=1000)
    console.print(what, markup=False, highlight=False, soft_wrap=isinstance(what, str))
