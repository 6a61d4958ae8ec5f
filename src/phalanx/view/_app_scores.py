"""Scores of a gallery: Dice with the truth, and how far the members are apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phalanx.core import parallel
from phalanx.mask import pile
from phalanx.metrics._agreement import pairs
from phalanx.metrics.dice import Dice
from phalanx.view.gallery import Gallery, Member

# Cases that are counted at once.
_SLICE = 16


@dataclass(frozen=True, eq=False)
class Scores:
    """Tables of numbers.

    Args:
        dice: float32 `(members, cases, classes)` with the truth; NaN where a row is missing, or there is no truth.
        pairs: float32 `(pairs, cases, classes)`, Dice of every two members, as `metrics._agreement.pairs` has them.
    """

    dice: np.ndarray
    pairs: np.ndarray

    @cached_property
    def of_cases(self) -> np.ndarray:
        """Mean Dice over the classes, float64 `(members, cases)`; NaN where no class is known."""
        return over(self.dice, -1)

    @cached_property
    def apart(self) -> np.ndarray:
        """1 less the mean Dice of all pairs, float32 `(cases, classes)`; NaN with fewer than two members."""
        return (1 - over(self.pairs, 0)).astype(np.float32)

    @cached_property
    def apart_of_cases(self) -> np.ndarray:
        """Mean of `apart` over the classes, float64 `(cases,)`."""
        return over(self.apart, -1)

    @cached_property
    def first(self) -> int:
        """The case most worth a look: lowest Dice of the first member, else most disagreement, else the first."""
        for values in (self.of_cases[0], -self.apart_of_cases):
            if np.isfinite(values).any():
                return int(np.nanargmin(values))
        return 0

    @cached_property
    def between(self) -> np.ndarray:
        """Mean Dice of every two members, over cases and then classes, float64 `(members, members)`; 1 with itself."""
        count = len(self.dice)
        found = np.eye(count)
        for (a, b), table in zip(pairs(count), self.pairs, strict=True):
            found[a, b] = found[b, a] = over(over(table, 0), 0)
        return found


def over(table: np.ndarray, axis: int) -> np.ndarray:
    """Mean of the known values along an axis, float64; NaN where none is known, without a warning."""
    known = np.isfinite(table)
    count = known.sum(axis)
    return np.where(count > 0, np.where(known, table, 0).sum(axis, np.float64) / np.maximum(count, 1), np.nan)


def measure(gallery: Gallery) -> Scores:
    """Hold every member against the truth and against every other."""
    members, truth = gallery.members, gallery.truth

    def work(first: int) -> tuple[np.ndarray, np.ndarray]:
        end = min(first + _SLICE, len(gallery.cases))
        nothing = np.full((end - first, len(gallery.classes)), np.nan)
        with_truth = [_dice(member, truth, first, end) if truth else nothing for member in members]
        between = [_dice(members[a], members[b], first, end) for a, b in pairs(len(members))]
        return np.stack(with_truth), np.stack(between) if between else np.empty((0, *nothing.shape))

    tables = list(parallel.ordered(work, range(0, len(gallery.cases), _SLICE)))
    dice, between = (np.concatenate(parts, 1).astype(np.float32) for parts in zip(*tables, strict=True))
    return Scores(dice, between)


def _dice(a: Member, b: Member, first: int, end: int) -> np.ndarray:
    """Float64 `(cases, classes)` of a range of cases."""
    classes = a.present.shape[1]
    masks = [member.masks.take(first * classes, end * classes) for member in (a, b)]
    dice = Dice()(pile.overlap(*masks)).reshape(end - first, classes)
    return np.where(a.present[first:end] & b.present[first:end], dice, np.nan)
