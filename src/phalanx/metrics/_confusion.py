"""Confusion: where the pixels went that a class lost, whether classes may overlap or exclude each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phalanx.mask import runs


def of(predicted: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> np.ndarray:
    """Pixels of each class by what was made of them, int64 `(c, c + 2)`.

    Row i counts pixels of true class i. Column i are those that were found. Column j are pixels that were missed and
    that class j took although they are not its own; where j has a right to the pixel, as bones that overlap do, nothing
    was confused. The last two columns are pixels that no class took wrongly, and all that were missed. A pixel that two
    classes took counts for both, therefore the row may add up to more than the class has.

    Args:
        predicted: one int64 `(n, 2)` run array a class.
        truth: the same for the truth, at the same image size.
    """
    classes = len(truth)
    missed = [runs.subtract(t, p) for p, t in zip(predicted, truth, strict=True)]
    extra = [runs.subtract(p, t) for p, t in zip(predicted, truth, strict=True)]
    counts = np.zeros((classes, classes + 2), np.int64)
    # Most pairs of classes lie in different rows of the image and need no look.
    spans = np.array([(part[0, 0], part[-1, 1]) if len(part) else (0, 0) for part in extra], np.int64)
    taken = runs.union(extra)
    for one, lost in enumerate(missed):
        all_lost = runs.area(lost)
        counts[one, one] = runs.area(truth[one]) - all_lost
        counts[one, classes:] = all_lost - runs.overlap(lost, taken), all_lost
        if not len(lost):
            continue
        for two in np.flatnonzero((spans[:, 0] < lost[-1, 1]) & (spans[:, 1] > lost[0, 0])):
            if two != one:
                counts[one, two] = runs.overlap(lost, extra[two])
    return counts
