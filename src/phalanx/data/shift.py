"""How far the wrists to predict are bent otherwise than those to learn from, and what follows for training and scores.

Of the hand-bone set one training wrist in nine is bent, and more than half of those to predict (spec 1.11), so a plain
out-of-fold score speaks of the wrong mixture of cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phalanx.mask import wrist
from phalanx.mask.wrist import Wrist

# Degrees of bend, positive towards the little finger, between which cases count as alike.
_EDGES = (-30.0, -15.0, 0.0, 15.0, 30.0, 45.0)
# A bin with fewer known cases is joined to the next one: one case would speak for too many.
_FEWEST = 5
# A typical picture, turned by the suggested range, reaches this share of the pictures to predict.
_REACHED = 0.95
_STEP = 5


@dataclass(frozen=True)
class Shift:
    """Wrists to learn from beside wrists to predict.

    Args:
        train: how many were measured.
        test: the same of the cases to predict.
        bent: share of wrists bent by `wrist.BENT_DEGREES` or more among each.
        rotation: degrees by which training images should be turned at random, either way.
    """

    train: int
    test: int
    bent: tuple[float, float]
    rotation: int


def between(train: Sequence[Wrist], test: Sequence[Wrist]) -> Shift:
    """The shift between two sets of wrists, neither empty.

    The rotation is the smallest multiple of 5 degrees by which a training picture of median tilt must be turned to be
    tilted as far as 95 % of those to predict, hand or forearm, whichever needs more. It turns the whole picture: no
    rotation bends a wrist.
    """
    needs = [
        np.quantile(np.abs(_column(test, name)), _REACHED) - np.median(np.abs(_column(train, name)))
        for name in ("hand", "forearm")
    ]
    rotation = int(np.ceil(max(0.0, *needs) / _STEP - 1e-9)) * _STEP
    return Shift(len(train), len(test), (bent_share(train), bent_share(test)), rotation)


def bent_share(wrists: Sequence[Wrist]) -> float:
    """Share of wrists that are bent to either side by `wrist.BENT_DEGREES` or more; NaN of none."""
    bends = np.abs(_column(wrists, "bend"))
    return float((bends >= wrist.BENT_DEGREES).mean()) if len(bends) else float("nan")


def weights(train: Sequence[Wrist], test: Sequence[Wrist]) -> np.ndarray:
    """What each known case counts so that together they are bent like the cases to predict: float64, mean 1.

    A case's weight is the share of its bin of bends among the cases to predict over that among the known ones
    (importance weighting under covariate shift, Shimodaira 2000, doi:10.1016/S0378-3758(00)00115-4). Bins with fewer
    than five known cases are joined to their neighbour towards the straight wrist.

    Args:
        train: of the known cases, at least one.
        test: of the cases to predict, at least one.
    """
    known, wanted = (np.digitize(_column(part, "bend"), _EDGES) for part in (train, test))
    own = _joined(np.bincount(known, minlength=len(_EDGES) + 1))
    known, wanted = own[known], own[wanted]
    counts = np.bincount(known, minlength=len(own)) / len(known)
    shares = np.bincount(wanted, minlength=len(own)) / len(wanted)
    found = shares[known] / counts[known]
    return found / found.mean()


def effective(weight: np.ndarray) -> float:
    """As many cases of equal weight say as much (Kish 1965, Survey Sampling, 11.7)."""
    return float(weight.sum() ** 2 / (weight**2).sum())


def _joined(counts: np.ndarray) -> np.ndarray:
    """The bin that each bin belongs to, from the outermost inwards."""
    own, sizes = np.arange(len(counts)), counts.astype(int)
    middle = len(counts) // 2
    for place in sorted(range(len(counts)), key=lambda place: -abs(place - middle)):
        if place != middle and 0 <= sizes[place] < _FEWEST:
            inwards = place + (1 if place < middle else -1)
            own[own == place] = inwards
            sizes[inwards] += sizes[place]
    if sizes[middle] < _FEWEST:
        # The straight ones themselves are few: they go with the fuller neighbour that is left.
        rest = [place for place in np.unique(own).tolist() if place != middle]
        if rest:
            own[own == middle] = max(rest, key=lambda place: sizes[place])
    return own


def _column(wrists: Sequence[Wrist], name: str) -> np.ndarray:
    return np.array([getattr(item, name) for item in wrists], np.float64)
