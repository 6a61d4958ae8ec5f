"""Details of a run: each case's group, fold, size, wrist and areas (`cases.csv`), and where lost pixels went.

`cases.csv` has a line a case: `part` (train, test), `case`, `group`, `fold`, `height`, `width`, `bend` (of the wrist in
degrees, positive towards the little finger; empty where there is none), `masks` (what bend and areas were measured on:
truth, prediction) and the pixels of every class. `confusion.csv` has a line a class, see `metrics/_confusion.py`, over
all out-of-fold predictions.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from phalanx.core import files, parallel
from phalanx.core.case import Case
from phalanx.core.progress import track
from phalanx.mask import runs, wrist
from phalanx.metrics import _confusion

if TYPE_CHECKING:
    import pandas as pd

    from phalanx.commands._cases import Cases
    from phalanx.data.cache import Cache
    from phalanx.view.case_facts import CaseFacts

CASES, CONFUSION = "cases.csv", "confusion.csv"
_FACTS = ("part", "case", "group", "fold", "height", "width", "bend", "masks")
Masks = Mapping[str, tuple[tuple[int, int], list[np.ndarray]]]


def write(folder: Path, cases: Cases, cache: Cache, oof: Masks, test: Masks) -> None:
    """Measure and write both tables.

    Args:
        folder: of the run.
        cases: what it works on.
        cache: where the truth is found.
        oof: predictions of held-out cases, id -> (size, runs a class).
        test: predictions of test cases; of a case with labels the truth is measured instead.
    """
    names = cases.labels.scored_names
    lines, confusion = [], np.zeros((len(names), len(names) + 2), np.int64)
    jobs = [("train", case) for case in cases.train.values()] + [("test", case) for case in cases.test.values()]

    def measure(job: tuple[str, Case]) -> tuple[list[object], np.ndarray | None]:
        part, case = job
        predicted = (oof if part == "train" else test).get(case.id)
        counts = None
        if case.labels is not None:
            item = cache.item(case)
            size, bones, kind = item.geometry.original, item.truth or [], "truth"
            if part == "train" and predicted is not None:
                counts = _confusion.of(predicted[1], bones)
        else:
            assert predicted is not None
            (size, bones), kind = predicted, "prediction"
        found = wrist.angles(dict(zip(names, bones, strict=True)), size)
        bend = "" if found is None else f"{found.bend:.2f}"
        fold = cases.fold_of.get(case.id, "") if part == "train" else ""
        return [part, case.id, case.group, fold, *size, bend, kind, *map(runs.area, bones)], counts

    for line, counts in track(parallel.ordered(measure, jobs), "Measuring cases", len(jobs)):
        lines.append(line)
        confusion += 0 if counts is None else counts
    _write(folder / CASES, [[*_FACTS, *names], *lines])
    heads = ["class", *names, "nobody", "missed"]
    _write(folder / CONFUSION, [heads, *([name, *row] for name, row in zip(names, confusion.tolist(), strict=True))])


def there(folder: Path) -> bool:
    """Whether the tables of a run are there."""
    return (folder / CASES).is_file() and (folder / CONFUSION).is_file()


def cases(folder: Path) -> dict[str, CaseFacts]:
    """The facts of `cases.csv`, by case."""
    from phalanx.view.case_facts import CaseFacts

    found = {}
    with (folder / CASES).open(encoding="utf-8", newline="") as file:
        for part, case, group, fold, height, width, bend, masks, *_ in itertools.islice(csv.reader(file), 1, None):
            size = (int(height), int(width))
            found[case] = CaseFacts(part, group, fold, size, float(bend) if bend else None, masks)
    return found


def areas(folder: Path) -> pd.DataFrame:
    """The areas of `cases.csv` in pixels, case x class."""
    return _table(folder / CASES, len(_FACTS), _FACTS.index("case"))


def confusion(folder: Path) -> pd.DataFrame:
    """`confusion.csv`: a row a true class, columns the classes, `nobody` and `missed`."""
    return _table(folder / CONFUSION, 1, 0)


def _table(path: Path, first: int, index: int) -> pd.DataFrame:
    """The whole numbers that begin in column `first`; rows are called what stands in column `index`."""
    import pandas

    with path.open(encoding="utf-8", newline="") as file:
        heads, *rows = csv.reader(file)
    counts = np.array([row[first:] for row in rows], np.int64).reshape(len(rows), len(heads) - first)
    return pandas.DataFrame(counts, index=[row[index] for row in rows], columns=heads[first:])


def _write(path: Path, rows: Sequence[Sequence[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    files.write_text(path, text.getvalue())
