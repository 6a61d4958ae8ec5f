"""Labels that predictions made without them contradict: the model may be wrong, or the label.

The Dice of a case and class is held against that of the other cases, on a logarithmic scale of what it lacks to 1, so
that a class that is always hard does not fill the list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from phalanx.core.case import Finding
from phalanx.core.errors import DataError
from phalanx.data import _quality_areas
from phalanx.mask import runs as run_lengths

# Robust standard deviations above the median, and the least that a Dice must lack to 1.
_FAR, _LACK = 5.0, 0.15
# Scatter that is not believed, and Dice that no model exceeds by luck.
_SCATTER, _PERFECT = 0.2, 1e-3
# Two labels exchanged their names where each fits the other's prediction at least so well.
_CROSSED = 0.5


def check(ids: Sequence[str], dice: np.ndarray, names: Sequence[str]) -> list[Finding]:
    """Warnings on labels that fit their predictions far worse than others of their class, the worst first.

    Args:
        ids: of the cases.
        dice: of predictions and labels, float64 `(cases, classes)`.
        names: of the classes.
    """
    if len(ids) < _quality_areas.LEAST:
        return []
    lack = np.log(np.maximum(1 - dice, _PERFECT))
    typical = _quality_areas.quantile(lack)
    scatter = np.maximum(1.4826 * _quality_areas.quantile(np.abs(lack - typical)), _SCATTER)
    deviations = (lack - typical) / scatter
    far = (deviations > _FAR) & (1 - dice > _LACK)
    usual = 1 - np.exp(typical)
    findings = []
    for row, column in sorted(np.argwhere(far).tolist(), key=lambda place: float(dice[place[0], place[1]])):
        score = float(dice[row, column])
        error = DataError(
            "the prediction contradicts the label",
            f"{names[column]}, Dice {score:.3f}, of others {usual[column]:.3f}",
            "look which of the two is right",
        )
        evidence = {"dice": score, "usual": float(usual[column]), "deviations": float(deviations[row, column])}
        findings.append(Finding.of("warning", ids[row], error, [names[column]], evidence=evidence))
    return findings


def crossed(case: str, predicted: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]) -> list[Finding]:
    """Pairs of classes whose labels fit each other's predictions and not their own.

    Args:
        case: id.
        predicted: class name -> runs, of the classes that do not fit.
        labels: the same of the labels.
    """
    findings = []
    for one, two in combinations(predicted, 2):
        scores = [_dice(predicted[one], labels[two]), _dice(predicted[two], labels[one])]
        if min(scores) > _CROSSED:
            seen = f"{one} and {two}, Dice {scores[0]:.3f} and {scores[1]:.3f} the other way round"
            error = DataError("predictions say that labels are interchanged", seen, "swap them in a patch")
            evidence = {"dice": min(scores)}
            remedy = {"swap": [one, two]}
            findings.append(Finding.of("warning", case, error, [one, two], evidence=evidence, remedy=remedy))
    return findings


def _dice(one: np.ndarray, two: np.ndarray) -> float:
    total = run_lengths.area(one) + run_lengths.area(two)
    return 2 * run_lengths.overlap(one, two) / total if total else 0.0
