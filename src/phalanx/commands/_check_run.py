"""A run held against the labels: which labels its out-of-fold predictions contradict, and how far the wrists shift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from phalanx.commands import _oof
from phalanx.core import hand
from phalanx.core.case import Case, Dataset, Finding
from phalanx.core.errors import PhalanxError, StoreError
from phalanx.core.progress import track
from phalanx.data import decode, disagreement
from phalanx.ensemble import soft
from phalanx.mask import wrist
from phalanx.metrics import _counts, _summary
from phalanx.metrics.dice import Dice
from phalanx.store.predictions import Store


@dataclass(frozen=True)
class Judged:
    """What a run says.

    Args:
        findings: labels that it contradicts.
        ids: of the cases it was held against.
        groups: their groups.
        dice: `(cases, classes)`.
        wrists: case id -> angles of the predicted hands to predict; empty when these are no hands.
    """

    findings: list[Finding]
    ids: list[str]
    groups: list[str]
    dice: np.ndarray
    wrists: dict[str, wrist.Wrist] = field(default_factory=dict)


def judge(run: Path, dataset: Dataset, rasteriser: str, leave_out: frozenset[str]) -> Judged:
    """Hold the predictions of a run against the labels of a data set.

    Args:
        run: a run folder or a member's folder in it.
        dataset: its data set, patched or not.
        rasteriser: how outlines become pixels.
        leave_out: ids of cases that cannot be read or have errors.

    Raises:
        PhalanxError: the run has no out-of-fold predictions, or they are of other cases or classes.
    """
    stores = [Store(path) for path in _oof.stores([run])]
    cases = {case.id: case for case in dataset.train if case.labels is not None and case.id not in leave_out}
    ids = [case for case in _oof.shared(stores, partial=True) if case in cases]
    names = dataset.labels.scored_names
    if stores[0].labels.scored_names != names:
        seen = f"{run} predicts {', '.join(stores[0].labels.scored_names[:4])} ..."
        raise StoreError("the run has other classes than the data set", seen, "name the run of this data set")
    if not ids:
        raise StoreError("the run has predicted no case of the data set", run, "name the run of this data set")
    predicted, tables = soft.mean(stores, ids), list[np.ndarray]()
    findings = list[Finding]()
    for case, size, masks in track(predicted, "Comparing", len(ids)):
        truth = _truth(cases[case], dataset, rasteriser, size)
        tables.append(Dice()(_counts.of(masks, truth)))
        findings += _crossed(
            case, dict(zip(names, masks, strict=True)), dict(zip(names, truth, strict=True)), tables[-1]
        )
    table = np.stack(tables)
    findings += disagreement.check(ids, table, names)
    return Judged(findings, ids, [cases[case].group for case in ids], table, _wrists(run, names))


def _truth(case: Case, dataset: Dataset, rasteriser: str, size: tuple[int, int]) -> list[np.ndarray]:
    return decode.runs(case, dataset.labels, rasteriser, size)


def _crossed(
    case: str, predicted: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray], dice: np.ndarray
) -> list[Finding]:
    """Interchanged labels among the classes that fit badly."""
    poor = [name for name, score in zip(predicted, dice.tolist(), strict=True) if score < 0.5]
    return disagreement.crossed(case, {name: predicted[name] for name in poor}, truth) if len(poor) > 1 else []


def _wrists(run: Path, names: Sequence[str]) -> dict[str, wrist.Wrist]:
    """Angles of the hands to predict, from the run's own predictions."""
    try:
        paths = _oof.stores([run], "test") if hand.shown(names) else []
    except PhalanxError:
        return {}
    if not paths:
        return {}
    stores = [Store(path) for path in paths]
    found = {}
    for case, size, masks in track(soft.mean(stores), "Wrists", len(stores[0])):
        angles = wrist.angles(dict(zip(names, masks, strict=True)), size)
        if angles is not None:
            found[case] = angles
    return found


def weighted(
    judged: Judged, known: Mapping[str, wrist.Wrist], weight: Mapping[str, float]
) -> tuple[float, list[float]]:
    """Mean Dice of the run and its 95 % interval over groups, each case counting by its weight.

    Args:
        judged: the run.
        known: cases whose wrist is known; others are left out.
        weight: case id -> weight, of these.
    """
    rows = [place for place, case in enumerate(judged.ids) if case in known]
    weights = np.array([weight[judged.ids[row]] for row in rows])[:, None]
    draws = _summary.Draws([judged.groups[row] for row in rows])
    total = draws.means(weights)
    # A draw of nothing but weightless cases says nothing.
    some = total[:, 0] > 0
    drawn = draws.means(judged.dice[rows] * weights)[some] / total[some]
    mean = float((judged.dice[rows] * weights).sum(0).mean() / weights.sum())
    return mean, _summary.bounds(_summary.over_all(drawn)).tolist()
