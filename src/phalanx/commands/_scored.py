"""Scored: the tables of `phalanx score`, and how they are said."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phalanx.commands import _sources
from phalanx.commands._found import Found
from phalanx.core import catalogue, parallel
from phalanx.core.errors import DataError
from phalanx.core.progress import track
from phalanx.mask import table as tables
from phalanx.metrics import _overlaps, _paired, _summary
from phalanx.metrics._overlaps import Grid
from phalanx.metrics._summary import Draws

if TYPE_CHECKING:
    from phalanx.commands._light_table import LightTable

# Cases and classes that are shown; files hold all of them.
_WORST, _CLASSES = 10, 60
_TITLES = {"dice": "Dice", "iou": "IoU"}


@dataclass(frozen=True)
class Scored:
    """Scores of one prediction, or of two on the same cases.

    Args:
        images: image keys, the rows of the tables.
        classes: the columns.
        groups: of each image.
        grouped: where the groups are from, words; empty: each image is its own.
        tables: metric -> one float64 `(images, classes)` a prediction, NaN where there is no such row.
        entries: what `scores.json` holds.
        left: what was left out, a sentence a source.
    """

    images: list[str]
    classes: list[str]
    groups: list[str]
    grouped: str
    tables: dict[str, list[np.ndarray]]
    entries: list[dict[str, Any]]
    left: list[str]

    @property
    def main(self) -> str:
        """The metric that cases are ranked by."""
        return next(iter(self.tables))


def work(
    found: Sequence[Found], metrics: Sequence[str], size: tuple[int, int] | None, groups: Path | None, *, partial: bool
) -> Scored:
    """Score what was found: the truth first, then the prediction, then the one it is compared with.

    Args:
        found: two or three.
        metrics: entries of `metrics/`.
        size: `(height, width)` of every image, if it was told.
        groups: a CSV of image and group.
        partial: score the rows that all have.

    Raises:
        PhalanxError: an input is at fault.
    """
    with ExitStack() as stack:
        opened = _sources.open_all(found, size, stack)
        left = _overlaps.align(opened.sources, partial)
        ranges = _overlaps.parts(opened.sources)
        pairs = [(place, 0) for place in range(1, len(found))]
        counted = track(_overlaps.counts(opened.sources, pairs, ranges, size), "scoring", len(ranges))
        counts = np.concatenate(list(counted), 1)
    grid = Grid(opened.sources[0].keys)
    known = opened.groups if groups is None else _read_groups(groups, grid.images)
    named = [known.get(image, image) for image in grid.images]
    scorers = {name: catalogue.entry("metrics", name)() for name in metrics}
    made = {name: [grid.table(scorer(part)) for part in counts] for name, scorer in scorers.items()}
    classes = [opened.label if label is None else label for label in grid.labels]
    entries = _entries(made, classes, Draws(named), [str(item.path) for item in found])
    grouped = "" if not known else f"of {groups}" if groups else "of the data set"
    return Scored(grid.images, classes, named, grouped, made, entries, left)


def _entries(
    made: dict[str, list[np.ndarray]], classes: list[str], draws: Draws, names: list[str]
) -> list[dict[str, Any]]:
    def entry(metric: str) -> dict[str, Any]:
        mine, *others = made[metric]
        found = _summary.scores(metric, mine, classes, draws) | {"of": names[1], "truth": names[0]}
        found["groups"] = draws.count
        for other in others:
            found["difference"] = {"against": names[2], "against_mean": float(_mean(other)),
                                   **_paired.difference(mine, other, classes, draws)}  # fmt: skip
        return found

    draws.hold()
    return list(parallel.ordered(entry, made))


def _mean(table: np.ndarray) -> np.ndarray:
    return _summary.over_all(_summary.over_cases(table))


def _read_groups(path: Path, images: Sequence[str]) -> dict[str, str]:
    """Group of each image that is scored.

    Raises:
        DataError: an image without a group, or with two.
    """
    records = tables.records(path)
    _, header = next(records)
    image, group = tables.positions(header, ("image", "group"), path)
    found: dict[str, str] = {}
    for line, cells in records:
        if len(cells) != len(header):
            raise DataError(f"{path}, line {line}: a wrong number of cells", len(cells), f"write {len(header)}")
        if found.setdefault(cells[image], cells[group]) != cells[group]:
            raise DataError("an image has two groups", f"{path}, line {line} ({cells[image]})", "keep one")
    lacking = [name for name in images if name not in found]
    if lacking:
        raise DataError("images without a group", f"{len(lacking)}, first {lacking[0]}", f"add them to {path}")
    return found


def rows(scored: Scored) -> Iterator[list[object]]:
    """Case x class scores, a header first, as `runs/NAME/scores.csv` has them."""
    yield ["of", "metric", "case", "group", "mean", *scored.classes]
    for entry in scored.entries:
        made = scored.tables[entry["metric"]]
        names = [entry["of"], *([entry["difference"]["against"]] if len(made) > 1 else [])]
        for name, table in zip(names, made, strict=True):
            for image, group, scores in zip(scored.images, scored.groups, table, strict=True):
                numbers = ["" if math.isnan(value) else f"{value:.6f}" for value in (np.nanmean(scores), *scores)]
                yield [name, entry["metric"], image, group, *numbers]


def classes(scored: Scored) -> LightTable:
    """Every class, weakest first: means and intervals; against another prediction the differences of one metric."""
    from phalanx.commands._light_table import LightTable

    # Two metrics and their differences would not fit a terminal of 80 columns; the files hold both.
    entries = scored.entries[:1] if "difference" in scored.entries[0] else scored.entries
    headings = ["class"]
    for entry in entries:
        headings += [_TITLES[entry["metric"]], "95 % interval"]
        headings += ["difference", "95 % interval"] if "difference" in entry else []
    table = LightTable(headings, [False, *[True] * (len(headings) - 1)])
    first = entries[0]["per_class"]
    order = sorted(scored.classes, key=lambda name: (first[name], name))
    for name in order[:_CLASSES]:
        table.add(name, *(cell for entry in entries for cell in _cells(entry, name)))
    if len(order) > _CLASSES:
        table.add(f"... and {len(order) - _CLASSES} better ones")
    return table


def _cells(entry: dict[str, Any], name: str) -> Iterator[str]:
    yield f"{entry['per_class'][name]:.4f}"
    yield _bounds(entry["per_class_interval"][name])
    if told := entry.get("difference"):
        yield f"{told['per_class'][name]:+.4f}"
        yield _bounds(told["per_class_interval"][name], "+")


def worst(scored: Scored) -> LightTable:
    """The cases with the lowest mean, and which class of them is the lowest."""
    from phalanx.commands._light_table import LightTable

    made = scored.tables[scored.main][0]
    means = np.nanmean(made, 1)
    title = _TITLES[scored.main]
    headings = [f"worst of {len(means)} cases", f"mean {title}", "weakest class", title]
    table = LightTable(headings, [False, True, False, True])
    for place in np.argsort(means, kind="stable")[:_WORST].tolist():
        lowest = int(np.nanargmin(made[place]))
        table.add(scored.images[place], f"{means[place]:.4f}", scored.classes[lowest], f"{made[place, lowest]:.4f}")
    return table


def sentences(scored: Scored) -> Iterator[str]:
    """The means, what they rest on, and what was left out."""
    for entry in scored.entries:
        title = _TITLES[entry["metric"]]
        yield f"mean {title} {entry['mean']:.4f} {_bounds(entry['interval'])}"
        if "difference" in entry:
            told = entry["difference"]
            yield (
                f"  against {told['against']} ({told['against_mean']:.4f}): {told['mean']:+.4f} "
                f"{_bounds(told['interval'], '+')}, p = {told['p']:.4f}"
            )
    count = len(set(scored.groups))
    said = f"{_count(len(scored.images), 'case')}, {_count(len(scored.classes), 'class', 'classes')}, "
    said += (
        f"{_count(count, 'group')} {scored.grouped}"
        if scored.grouped
        else "each image its own group (name people with --groups)"
    )
    yield said + ("; an interval needs more than one group" if count == 1 else "")
    yield from (f"left out: {text}" for text in scored.left)


def _bounds(interval: Sequence[float], sign: str = "") -> str:
    return f"[{interval[0]:{sign}.4f}, {interval[1]:{sign}.4f}]"


def _count(number: int, noun: str, nouns: str = "") -> str:
    return f"{number} {noun if number == 1 else nouns or noun + 's'}"
