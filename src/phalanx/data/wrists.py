"""Wrists: the bend of every hand of a data set or a submission, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from phalanx.core import parallel
from phalanx.core.case import Case
from phalanx.core.labels import LabelSpace
from phalanx.core.progress import track
from phalanx.data import decode
from phalanx.datasets import _base
from phalanx.mask import wrist
from phalanx.mask.index import Index

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("case", "group", "side", "bend", "hand", "forearm")
Masks = Mapping[str, np.ndarray]


def of_labels(cases: Sequence[Case], labels: LabelSpace, rasteriser: str = "opencv") -> pd.DataFrame:
    """Angles in degrees by the labels of cases; those without labels or without the bones have no row.

    Returns:
        Columns `case`, `group`, `side`, `bend` (positive towards the little finger), `hand` and `forearm` (from
        upright, positive to the right of the picture).
    """

    def read(case: Case) -> tuple[Masks, tuple[int, int]]:
        size = _base.header(case.image).size
        return dict(zip(labels.scored_names, decode.runs(case, labels, rasteriser, size), strict=True)), size

    known = [case for case in cases if case.labels is not None]
    return _table(known, parallel.ordered(read, known))


def of_predictions(cases: Sequence[Case], sheet: Index) -> pd.DataFrame:
    """The same by the masks of a submission; cases that it lacks have no row.

    Args:
        cases: whose images say how large they are.
        sheet: the submission, its keys the cases' ids.
    """

    def read(case: Case) -> tuple[Masks, tuple[int, int]]:
        size = _base.header(case.image).size
        return sheet.of_image(case.id, size), size

    return _table(cases, parallel.ordered(read, cases))


def _table(cases: Sequence[Case], masks: Iterable[tuple[Masks, tuple[int, int]]]) -> pd.DataFrame:
    import pandas

    rows = []
    for case, (bones, size) in zip(cases, track(masks, "Measuring wrists", len(cases)), strict=True):
        found = wrist.angles(bones, size)
        if found is not None:
            rows.append((case.id, case.group, case.metadata.get("side", ""), *found))
    return pandas.DataFrame(rows, columns=list(COLUMNS))
