"""Runs of a folder: what each has scored, what it took, and whether the best is better by more than chance."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from phalanx.core.errors import RunError

if TYPE_CHECKING:
    import numpy as np

SORTS = ("dice", "test", "time", "memory", "date", "name")


@dataclass(frozen=True)
class Run:
    """A run folder; None: not known.

    Args:
        path: the folder.
        state: `done`, `running` (a process works in it), `begun`, or `damaged`.
        config: name of the configuration, where the run noted it.
        network: its networks and their encoders.
        seed: of the run.
        folds: trained folds of all, `0-4 of 5`.
        date: of its last result.
        dice: mean out-of-fold Dice.
        interval: its 95 % interval.
        cases: how many were scored.
        test: mean Dice of the test cases, where they have labels.
        seconds: all stages together.
        memory: peak of the process in bytes.
        device: peak of the accelerator in bytes.
    """

    path: Path
    state: str
    config: str
    network: str
    seed: int | None
    folds: str
    date: datetime
    dice: float | None = None
    interval: tuple[float, float] | None = None
    cases: int | None = None
    test: float | None = None
    seconds: float | None = None
    memory: int | None = None
    device: int | None = None

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name


@dataclass(frozen=True)
class Gap:
    """How much a run is behind the best of those with the same cases and truth.

    Args:
        best: name of that one.
        mean: mean Dice of the run less that of the best.
        interval: 95 %, bootstrap over groups (people).
        p: of a permutation test.
        cases: how many both scored, on the same truth.
    """

    best: str
    mean: float
    interval: tuple[float, float]
    p: float
    cases: int


def find(folder: Path) -> list[Run]:
    """The runs in a folder, or the run that the folder is.

    Raises:
        RunError: no such folder, or none in it.
    """
    if not folder.is_dir():
        raise RunError("there is no such folder", folder, "name the folder that holds the runs")
    paths = [folder] if _is_run(folder) else sorted(path for path in folder.iterdir() if _is_run(path))
    if not paths:
        raise RunError("no run is in this folder", folder, "train one first: python run.py config=phantom")
    return [read(path) for path in paths]


def _is_run(path: Path) -> bool:
    return (path / "config.yaml").is_file()


def read(path: Path) -> Run:
    """What a run folder says of itself; one whose files cannot be read is `damaged`."""
    date = datetime.fromtimestamp(max(_modified(path / name) for name in ("config.yaml", "scores.json")))
    try:
        values = yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8"))
        scores, timings, memory = (_json(path / f"{name}.json") for name in ("scores", "timings", "memory"))
        command = (_json(path / "environment.json") or [{}])[-1].get("command", "")
        entries = {entry["of"]: entry for entry in scores or [] if entry["metric"] == "dice"}
        oof, test = entries.get("out-of-fold", {}), entries.get("test", {})
        state = "done" if scores and (path / "report.html").is_file() else "begun"
        return Run(
            path, "running" if _locked(path / ".lock") else state, _config(command), _network(values),
            values.get("seed"), _folds(values["data"]["folds"]), date, oof.get("mean"), _pair(oof.get("interval")),
            oof.get("cases"), test.get("mean"), sum(timings.values()) if timings else None,
            _highest(memory, "host"), _highest(memory, "device"),
        )  # fmt: skip
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError):
        return Run(path, "damaged", "", "", None, "", date)


def ordered(runs: Sequence[Run], key: str) -> list[Run]:
    """Best first: the highest score, the shortest time, the least memory, the latest date; unknown ones last."""
    values: dict[str, Any] = {
        "dice": lambda run: None if run.dice is None else -run.dice,
        "test": lambda run: None if run.test is None else -run.test,
        "time": lambda run: run.seconds,
        "memory": lambda run: run.device if run.device is not None else run.memory,
        "date": lambda run: -run.date.timestamp(),
        "name": lambda run: run.name.casefold(),
    }
    value = values[key]
    return sorted(runs, key=lambda run: (value(run) is None, value(run) if value(run) is not None else 0, run.name))


def gaps(runs: Sequence[Run]) -> tuple[list[Run], dict[Path, Gap]]:
    """The best runs by out-of-fold Dice, and how far the others are behind.

    A folder may hold runs on several data sets. A run is compared with the best one that shares two groups or more of
    its cases, with the same truth and classes; when there is none it is the best of its own kind.
    """
    leaders: list[tuple[Run, _Table]] = []
    found: dict[Path, Gap] = {}
    for run in ordered([run for run in runs if run.dice is not None], "dice"):
        table = _table(run.path)
        if table is None:
            continue
        gap = next(filter(None, (_gap(table, leader, of.name) for of, leader in leaders)), None)
        if gap is None:
            leaders.append((run, table))
        else:
            found[run.path] = gap
    return [run for run, _ in leaders], found


def _gap(run: _Table, best: _Table, name: str) -> Gap | None:
    import numpy as np

    from phalanx.metrics import _paired

    shared = [case for case in run.scores if case in best.scores and run.truth[case] == best.truth[case]]
    if run.classes != best.classes or len({best.groups[case] for case in shared}) < 2:
        return None
    a, b = (np.stack([table.scores[case] for case in shared]) for table in (run, best))
    found = _paired.difference(a, b, run.classes, [best.groups[case] for case in shared])
    return Gap(name, found["mean"], (found["interval"][0], found["interval"][1]), found["p"], len(shared))


@dataclass(frozen=True)
class _Table:
    """Out-of-fold Dice of a run: case -> scores, group, and what its truth looks like."""

    classes: list[str]
    scores: dict[str, np.ndarray]
    groups: dict[str, str]
    truth: dict[str, str]


def _table(path: Path) -> _Table | None:
    """None when the run was made before runs kept their cases' groups, or its files are damaged."""
    import csv

    import numpy as np

    try:
        with (path / "scores.csv").open(encoding="utf-8", newline="") as file:
            heads, *rows = csv.reader(file)
        scores = {row[1]: np.array(row[4:], float) for row in rows if row[0] == "out-of-fold"}
        with (path / "cases.csv").open(encoding="utf-8", newline="") as file:
            _, *facts = csv.reader(file)
    except (OSError, ValueError):
        return None
    lines = {row[1]: row for row in facts if row[1] in scores}
    if set(lines) != set(scores):
        return None
    # Size and areas: two data sets that agree in all of them have the same truth, as far as scores can tell.
    truth = {case: ",".join((*row[4:6], *row[8:])) for case, row in lines.items()}
    return _Table(heads[4:], scores, {case: row[2] for case, row in lines.items()}, truth)


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _modified(file: Path) -> float:
    return file.stat().st_mtime if file.is_file() else 0.0


def _config(command: str) -> str:
    return next((text.partition("=")[2] for text in command.split() if text.startswith("config=")), "")


def _network(values: Mapping[str, Any]) -> str:
    """Networks and encoders of a run's members, each once."""
    model = values["model"]
    members = [change.get("model") or {} for change in (values.get("members") or {}).values()]
    models = [{**model, **change} for change in members] or [model]
    return ", ".join(dict.fromkeys(f"{one['name']} {one.get('encoder') or ''}".strip() for one in models))


def _folds(folds: Mapping[str, Any]) -> str:
    count, chosen = folds["count"], folds.get("train") or []
    return f"{','.join(map(str, chosen))} of {count}" if chosen else f"all {count}"


def _pair(bounds: Any) -> tuple[float, float] | None:
    return (bounds[0], bounds[1]) if bounds else None


def _highest(memory: Mapping[str, Mapping[str, int]] | None, kind: str) -> int | None:
    return max((peak[kind] for peak in (memory or {}).values() if kind in peak), default=None)


def _locked(path: Path) -> bool:
    """Whether a process works in a run folder; asked with a shared lock that is given back at once."""
    try:
        import fcntl

        handle = os.open(path, os.O_RDONLY)
    except (ImportError, OSError):
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(handle)
