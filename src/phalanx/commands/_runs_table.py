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

_WORDS = ("run", "state", "config", "network", "failure")
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


def show(runs: Sequence[Run], best: Run | None, gaps: Mapping[Path, Gap]) -> None:
    """Print one line a run, and how sure it is that the best is the best."""
    headings = ("run", "state", "OOF Dice", "95 %", "behind", "95 %", "p", "test", "minutes", "memory", "folds", "date")
    rows = []
    for run in runs:
        gap = gaps.get(run.path)
        behind = ("", "", "") if gap is None else (f"{gap.mean:+.4f}", _bounds(gap.interval, sign=True), _chance(gap.p))
        rows.append(
            (
                run.name, run.state, _score(run.dice), _bounds(run.interval), "best" if run is best else behind[0],
                *behind[1:], _score(run.test), *_cost(run), run.folds, f"{run.date:%Y-%m-%d %H:%M}",
            )
        )  # fmt: skip
    kept = [place for place in range(len(headings)) if place < 4 or any(row[place] for row in rows)]
    if all(run.state == "done" for run in runs):
        kept.remove(1)
    _print(_plain([[row[place] for place in kept] for row in (headings, *rows)]))
    for sentence in sentences(runs, best, gaps):
        _print(sentence)


def sentences(runs: Sequence[Run], best: Run | None, gaps: Mapping[Path, Gap]) -> Iterator[str]:
    """What the table does not say: who is not behind by more than chance, and who was not compared."""
    if best is None or len(runs) < 2:
        return
    alike = [run.name for run in runs if run.path in gaps and gaps[run.path].p > _CHANCE]
    if alike:
        yield f"Not behind {best.name} by more than chance (p > {_CHANCE}, people drawn): {', '.join(alike)}"
    partly = {f"{gap.cases} of {run.cases} ({run.name})" for run in runs
              if (gap := gaps.get(run.path)) and gap.cases < (run.cases or 0)}  # fmt: skip
    if partly:
        yield f"Compared on the cases that {best.name} has scored too: {', '.join(sorted(partly))}"
    alone = [run.name for run in runs if run.dice is not None and run is not best and run.path not in gaps]
    if alone:
        yield f"Not compared, for want of cases of the same truth and classes: {', '.join(alone)}"


def rows(runs: Sequence[Run], best: Run | None, gaps: Mapping[Path, Gap]) -> list[dict[str, Any]]:
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
            "best": run is best,
            "behind": gap.mean if (gap := gaps.get(run.path)) else None,
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

    Console().print(what, markup=False, highlight=False, soft_wrap=isinstance(what, str))
