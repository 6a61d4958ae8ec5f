"""Scores of a gallery: Dice with the truth, and how far the members are apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phalanx.core import parallel
from phalanx.mask import pile
from phalanx.metrics.dice import Dice
from phalanx.view.app import Gallery, Member

# Cases that are counted at once.
_SLICE = 16


@dataclass(frozen=True, eq=False)
class Scores:
    """Tables of numbers.

    Args:
        dice: float32 `(members, cases, classes)` with the truth; NaN where a row is missing, or there is no truth.
        apart: float32 `(cases, classes)`, 1 less the mean Dice of all pairs of members; NaN with fewer than two.
    """

    dice: np.ndarray
    apart: np.ndarray

    @cached_property
    def of_cases(self) -> np.ndarray:
        """Mean Dice over the classes, float64 `(members, cases)`; NaN where no class is known."""
        return over(self.dice, -1)


def over(table: np.ndarray, axis: int) -> np.ndarray:
    """Mean of the known values along an axis, float64; NaN where none is known, without a warning."""
    known = np.isfinite(table)
    count = known.sum(axis)
    return np.where(count > 0, np.where(known, table, 0).sum(axis, np.float64) / np.maximum(count, 1), np.nan)


def measure(gallery: Gallery) -> Scores:
    """Hold every member against the truth and against every other."""
    members, truth = gallery.members, gallery.truth
    pairs = [(a, b) for a in range(len(members)) for b in range(a)]

    def work(first: int) -> tuple[np.ndarray, np.ndarray]:
        end = min(first + _SLICE, len(gallery.cases))
        nothing = np.full((end - first, len(gallery.classes)), np.nan)
        with_truth = [_dice(member, truth, first, end) if truth else nothing for member in members]
        between = [_dice(members[a], members[b], first, end) for a, b in pairs] or [nothing]
        return np.stack(with_truth), 1 - over(np.stack(between), 0)

    tables = list(parallel.ordered(work, range(0, len(gallery.cases), _SLICE)))
    dice = np.concatenate([dice for dice, _ in tables], 1)
    return Scores(dice.astype(np.float32), np.concatenate([apart for _, apart in tables]).astype(np.float32))


def _dice(a: Member, b: Member, first: int, end: int) -> np.ndarray:
    """Float64 `(cases, classes)` of a range of cases."""
    classes = a.present.shape[1]
    masks = [member.masks.take(first * classes, end * classes) for member in (a, b)]
    dice = Dice()(pile.overlap(*masks)).reshape(end - first, classes)
    return np.where(a.present[first:end] & b.present[first:end], dice, np.nan)
