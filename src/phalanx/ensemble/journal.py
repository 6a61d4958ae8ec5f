"""Journal: recipes and the scores they got, a CSV, and how far out-of-fold scores and the leaderboard agree.

    date,recipe,sha256,metric,oof,nested,low,high,public,private,note

`recipe` is a path from the journal's folder. `oof` is the score on the cases that the recipe was made on, `nested` the
one on cases that its search did not see; `low` and `high` are the 95 % interval of `nested`, or else of `oof`. An empty
cell is a score that is not known; the column `metric` may be missing. A recipe is known by its digest: it has one line,
wherever its file lies.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from phalanx.core import files
from phalanx.core.errors import ConfigError

# Fewer entries than this say nothing about agreement.
FEWEST = 3
_SCORES = ("oof", "nested", "low", "high", "public", "private")


@dataclass(frozen=True)
class Entry:
    """A line of the journal; None: not known.

    Args:
        date: of the first mention, `2026-11-21`.
        recipe: path from the journal's folder.
        sha256: of the recipe.
        metric: of `oof` and `nested`.
        oof: out-of-fold score of the recipe as it stands.
        nested: out-of-fold score by nested search.
        low: lower end of the interval of `nested`, or of `oof`.
        high: upper end.
        public: score on the public leaderboard.
        private: score on the private one.
        note: anything.
    """

    date: str
    recipe: str
    sha256: str
    metric: str = ""
    oof: float | None = None
    nested: float | None = None
    low: float | None = None
    high: float | None = None
    public: float | None = None
    private: float | None = None
    note: str = ""


COLUMNS = tuple(field.name for field in fields(Entry))
_PLAIN = tuple(name for name in COLUMNS if name != "metric")


def load(path: Path) -> list[Entry]:
    """Read a journal; one that is not there is empty.

    Raises:
        ConfigError: not such a file, or a line that holds something else than scores.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return []
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise ConfigError("the log cannot be read", f"{path} ({type(error).__name__})", "name a CSV") from None
    rows = csv.reader(io.StringIO(text, newline=""))
    header = next(rows, [])
    columns = tuple(header)
    if columns not in (COLUMNS, _PLAIN):
        seen = f"{path} begins with {','.join(header)[:80] or 'nothing'}"
        raise ConfigError("the log has other columns", seen, f"begin it with {','.join(COLUMNS)}")
    return [_entry(columns, row, f"{path}, line {rows.line_num}") for row in rows if row]


def save(path: Path, entries: Sequence[Entry]) -> None:
    """Write a journal, whole or not at all."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for entry in entries:
        values = [getattr(entry, name) for name in COLUMNS]
        rows.writerow(["" if value is None else value for value in values])
    files.write_text(path, text.getvalue())


def _entry(columns: tuple[str, ...], row: list[str], where: str) -> Entry:
    if len(row) != len(columns):
        raise ConfigError("a line of the log has a wrong number of cells", f"{where}: {len(row)}", "mend the line")
    values: dict[str, Any] = dict(zip(columns, row, strict=True))
    for name in _SCORES:
        values[name] = checked(values[name], f"{name} in {where}") if values[name].strip() else None
    return Entry(**values)


def checked(value: Any, name: str) -> float:
    """A score.

    Raises:
        ConfigError: not a number from 0 to 1.
    """
    try:
        score = float(value)
    except (TypeError, ValueError):
        score = math.nan
    if isinstance(value, bool) or not 0 <= score <= 1:
        fix = f"write {score / 100:g} for {score:g} %" if 1 < score <= 100 else "write a number such as 0.97"
        raise ConfigError("a score is not between 0 and 1", f"{name}: {value}", fix)
    return score


def measured(recipe: Path) -> dict[str, Any]:
    """What a recipe says about itself: `metric`, `oof`, `nested`, `low` and `high`, as far as its `scores:` hold them.

    Raises:
        ConfigError: no such file, not YAML, or scores that are none.
    """
    try:
        values = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError("the recipe cannot be read", f"{recipe} ({error.strerror})", "check the name") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        seen = f"{recipe} ({' '.join(str(error).split())[:120]})"
        raise ConfigError("the recipe is not YAML", seen, "mend the line") from None
    if not isinstance(values, dict):
        raise ConfigError("the recipe is not a mapping", recipe, "name a recipe, such as phalanx search writes")
    return _scores(values.get("scores") or [], str(recipe))


def _scores(entries: Any, recipe: str) -> dict[str, Any]:
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "mean" in entry for entry in entries):
        fix = "write entries as in scores.json, each with `mean:`"
        raise ConfigError("the scores of the recipe are not a list of scores", recipe, fix)
    metrics = [str(entry.get("metric", "")) for entry in entries]
    metric = "dice" if "dice" in metrics or not metrics else metrics[0]
    # What is not said to be anything else is out-of-fold, as in scores.json of other sources.
    names = {"nested": "nested", "out-of-fold": "oof", "": "oof"}
    found: dict[str, Any] = {}
    for entry in entries:
        name = names.get(str(entry.get("of") or ""))
        if str(entry.get("metric", "")) != metric or name is None or name in found:
            continue
        found[name] = checked(entry["mean"], f"{name} of {recipe}")
        interval = entry.get("interval")
        known = isinstance(interval, list) and len(interval) == 2 and None not in interval
        if known and (name == "nested" or "low" not in found):
            ends = zip(("low", "high"), interval, strict=True)
            found |= {end: checked(value, f"interval of {recipe}") for end, value in ends}
    return {"metric": metric, **found} if found else {}


def add(
    entries: Sequence[Entry], recipe: Path, folder: Path, date: str, told: dict[str, Any]
) -> tuple[list[Entry], Entry]:
    """The journal with a recipe's line added, or completed where its digest is known.

    Args:
        entries: the journal.
        recipe: the file.
        folder: of the journal.
        date: of today.
        told: columns that win over what the recipe says; None: not told.

    Returns:
        The entries, and the one that is new or changed.

    Raises:
        ConfigError: the recipe cannot be read, or nobody tells its out-of-fold score.
    """
    digest = files.digest(recipe) if recipe.is_file() else ""
    near = Path(os.path.relpath(recipe.resolve(), folder.resolve())).as_posix()
    place = next((place for place, entry in enumerate(entries) if entry.sha256 == digest != ""), None)
    before = Entry(date, near, digest) if place is None else entries[place]
    # What a known recipe says stands in its line already.
    values = measured(recipe) if (before.oof, before.nested) == (None, None) else {}
    for name, value in told.items():
        if value is not None:
            values[name] = checked(value, name) if name in _SCORES else value
    entry = replace(before, recipe=near, **values)
    if told.get("oof") is not None and entry.nested is None:
        # The interval was that of the score that is replaced.
        entry = replace(entry, low=None, high=None)
    if entry.oof is None and entry.nested is None:
        raise ConfigError("the recipe holds no out-of-fold score", recipe, "give it with --oof")
    rest = list(entries)
    if place is None:
        return [*rest, entry], entry
    rest[place] = entry
    return rest, entry


@dataclass(frozen=True)
class Agreement:
    """How far one kind of score and another agree over entries that have both.

    Args:
        ours: `oof` or `nested`.
        theirs: `public` or `private`.
        entries: their number. Below `FEWEST` the rest is None.
        spearman: rank correlation; None where one of the two is constant.
        pearson: linear correlation; likewise.
        difference: mean of theirs - ours.
        spread: standard deviation of it.
        same: pairs of entries that both order the same way.
        pairs: pairs that neither finds equal.
    """

    ours: str
    theirs: str
    entries: int
    spearman: float | None = None
    pearson: float | None = None
    difference: float | None = None
    spread: float | None = None
    same: int | None = None
    pairs: int | None = None


def agreements(entries: Sequence[Entry]) -> list[Agreement]:
    """Out-of-fold and nested scores against public and private ones, where an entry has both."""
    found = []
    for ours in ("oof", "nested"):
        for theirs in ("public", "private"):
            pairs = [(getattr(entry, ours), getattr(entry, theirs)) for entry in entries]
            known = [pair for pair in pairs if None not in pair]
            if known:
                found.append(_agreement(ours, theirs, np.array(known, float)))
    return found


def _agreement(ours: str, theirs: str, scores: np.ndarray) -> Agreement:
    if len(scores) < FEWEST:
        return Agreement(ours, theirs, len(scores))
    a, b = scores.T
    first, second = np.triu_indices(len(scores), 1)
    products = np.sign(a[first] - a[second]) * np.sign(b[first] - b[second])
    return Agreement(
        ours, theirs, len(scores),
        spearman=_correlation(_ranks(a), _ranks(b)), pearson=_correlation(a, b),
        difference=float((b - a).mean()), spread=float((b - a).std(ddof=1)),
        same=int((products > 0).sum()), pairs=int((products != 0).sum()),
    )  # fmt: skip


def _correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(float((a * a).sum() * (b * b).sum()))
    # Equal scores differ from their mean by rounding.
    return None if scale < 1e-18 else float(np.clip((a * b).sum() / scale, -1, 1))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks, equal values sharing the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]
