"""Agreement: how much several submissions say the same, pair by pair, class by class and case by case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from phalanx.metrics._overlaps import Grid

# Differences below this are rounding.
_NOISE = 1e-9


@dataclass(frozen=True)
class Disagreement:
    """A mask on which the files are far apart.

    Args:
        image: key of the image.
        label: its class.
        mean: mean Dice of all pairs of files.
        odd: the file that agrees least with the others; None with two files, or when no file stands alone.
        odd_mean: mean Dice of that file with the others.
        rest: mean Dice of the others among themselves; None when there is no odd one.
    """

    image: str
    label: str | None
    mean: float
    odd: int | None
    odd_mean: float | None
    rest: float | None


class Agreement:
    """Pairwise Dice of `files` submissions.

    Args:
        dice: float64 `(pairs, keys)`, the pairs as `pairs(files)` has them.
        grid: the keys.
        files: their number.
    """

    def __init__(self, dice: np.ndarray, grid: Grid, files: int) -> None:
        self.dice, self.grid, self.files = dice, grid, files
        self._pairs = pairs(files)

    def per_class(self) -> np.ndarray:
        """Mean Dice over the cases, float64 `(classes, files, files)`, 1 on the diagonal."""
        counts = np.bincount(self.grid.columns, minlength=len(self.grid.labels))
        found = np.tile(np.eye(self.files), (len(counts), 1, 1))
        for (a, b), values in zip(self._pairs, self.dice, strict=True):
            means = np.bincount(self.grid.columns, values, len(counts)) / counts
            found[:, a, b] = found[:, b, a] = means
        return found

    def of_files(self, matrices: np.ndarray) -> np.ndarray:
        """Mean Dice of each file with the others, `(..., files)`, of matrices `(..., files, files)`."""
        return (matrices.sum(-1) - 1) / (self.files - 1)

    def largest(self, count: int) -> list[Disagreement]:
        """The keys with the lowest mean Dice of all pairs, lowest first, those in full agreement left out."""
        means = self.dice.mean(0)
        order = np.argsort(means, kind="stable")[:count].tolist()
        return [self._judge(place) for place in order if means[place] < 1 - _NOISE]

    def _judge(self, place: int) -> Disagreement:
        image = self.grid.images[self.grid.rows[place]]
        label = self.grid.labels[self.grid.columns[place]]
        values, mean = self.dice[:, place], float(self.dice[:, place].mean())
        matrix = np.eye(self.files)
        for (a, b), value in zip(self._pairs, values, strict=True):
            matrix[a, b] = matrix[b, a] = value
        own = self.of_files(matrix)
        odd, second = np.argsort(own, kind="stable")[:2].tolist()
        if self.files < 3 or own[second] - own[odd] < _NOISE:
            return Disagreement(image, label, mean, None, None, None)
        others = [value for pair, value in zip(self._pairs, values.tolist(), strict=True) if odd not in pair]
        return Disagreement(image, label, mean, odd, float(own[odd]), sum(others) / len(others))


def pairs(files: int) -> Sequence[tuple[int, int]]:
    """Every two of so many files.

    >>> pairs(3)
    [(0, 1), (0, 2), (1, 2)]
    """
    return list(combinations(range(files), 2))
