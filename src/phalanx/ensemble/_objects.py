"""Objects: every connected object and hole of a class, measured once, so that steps are scored without a mask.

The order is that of the steps it stands for: a gate on the whole mask, then objects are dropped, then holes are filled.
A hole counts as filled when the object around it is kept. (A dropped object that lay in a hole leaves its pixels open
here, while `fill_holes` would fill them; what is chosen is scored on real masks in the end.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from phalanx.core import parallel
from phalanx.ensemble.choice import Choice, Scorer, Steps, Weights, step_of
from phalanx.mask import components, runs

# Pixels; those above the median object of the truth are not tried.
_AREAS = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
_KEPT = (1, 2, 3)
_STRICT = (0.6, 0.7, 0.8, 0.9)
# Thresholds that are tried beside the one in place, as steps of 0.01: objects change with them.
_BESIDE = (0, -10, 10)
_NOISE = 1e-6


@dataclass(frozen=True)
class Objects:
    """Objects and holes of one class at one threshold, all cases.

    Args:
        case: int64 `(n,)`, the case of each object.
        area: int64 `(n,)`.
        both: int64 `(n,)`, pixels of it that are true.
        rank: int64 `(n,)`, 0 for the largest object of its case.
        hole_of: int64 `(k,)`, the object around each hole.
        hole_area: int64 `(k,)`.
        hole_both: int64 `(k,)`.
        true: int64 `(cases,)`, pixels of the truth.
    """

    case: np.ndarray
    area: np.ndarray
    both: np.ndarray
    rank: np.ndarray
    hole_of: np.ndarray
    hole_area: np.ndarray
    hole_both: np.ndarray
    true: np.ndarray

    def counts(self, kept: np.ndarray, filled: np.ndarray) -> np.ndarray:
        """Pixels in both, predicted and true, int64 `(cases, 3)`, of the objects `kept` and the holes `filled`."""
        holes = filled & kept[self.hole_of]
        case, hole_case = self.case[kept], self.case[self.hole_of[holes]]
        cases = len(self.true)
        both = np.bincount(case, self.both[kept], cases) + np.bincount(hole_case, self.hole_both[holes], cases)
        area = np.bincount(case, self.area[kept], cases) + np.bincount(hole_case, self.hole_area[holes], cases)
        return np.stack([both, area, self.true], -1).astype(np.int64)


def measure(masks: Sequence[np.ndarray], truth: Sequence[np.ndarray], sizes: Sequence[tuple[int, int]]) -> Objects:
    """Find the objects and holes of one class.

    Args:
        masks: runs of each case.
        truth: the same of the truth.
        sizes: `(height, width)` of the images.
    """
    rows: list[tuple[int, int, int, int]] = []
    holes: list[tuple[int, int, int]] = []
    for case, (mask, true, size) in enumerate(zip(masks, truth, sizes, strict=True)):
        parts = components.split(mask, size)
        areas = np.array([runs.area(part) for part in parts], np.int64)
        rank = np.empty(len(parts), np.int64)
        rank[np.argsort(-areas, kind="stable")] = np.arange(len(parts))
        first = len(rows)
        rows += [(case, int(areas[one]), runs.overlap(part, true), int(rank[one])) for one, part in enumerate(parts)]
        holes += [(first + one, area, both) for one, area, both in _holes(mask, parts, true, size)]
    case_, area, both, rank_ = np.array(rows, np.int64).reshape(-1, 4).T
    hole_of, hole_area, hole_both = np.array(holes, np.int64).reshape(-1, 3).T
    return Objects(
        case_, area, both, rank_, hole_of, hole_area, hole_both, np.array([runs.area(true) for true in truth], np.int64)
    )


def _holes(
    mask: np.ndarray, parts: Sequence[np.ndarray], truth: np.ndarray, size: tuple[int, int]
) -> Iterator[tuple[int, int, int]]:
    """The object around each hole, the hole's area and its true pixels."""
    filled = components.fill_holes(mask, size)
    if len(filled) == len(mask):
        return
    gaps = mask.ravel()[1:-1].reshape(-1, 2)
    starts = np.concatenate([part[:, 1] for part in parts])
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    order = np.argsort(starts)
    for hole in components.split(runs.intersect(filled, gaps), size, 4):
        # The pixel before the first of a hole ends a run of the object around it.
        place = order[np.searchsorted(starts, hole[0, 0], sorter=order)]
        yield int(owner[place]), runs.area(hole), runs.overlap(hole, truth)


class Bench:
    """Measures objects when they are asked for, and remembers them.

    Args:
        scorer: whose band and truth they are of.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self._known: dict[tuple[int, Weights, int], Objects] = {}

    def of(self, label: int, weights: Weights, at: int) -> Objects:
        """Objects of a class with these weights at the threshold of this index."""
        key = (label, weights, at)
        if key not in self._known:
            truth = [true[label] for true in self.scorer.truth]
            self._known[key] = measure(self.scorer.band.masks(label, weights, at), truth, self.scorer.band.sizes)
        return self._known[key]

    def forget(self) -> None:
        """Let go of what was measured."""
        self._known.clear()

    def fit(self, scorer: Scorer, rows: np.ndarray, choice: Choice) -> Choice:
        """The steps of each class that score best on some cases, and the threshold that suits them."""
        labels = range(len(choice.weights))
        found = list(parallel.ordered(lambda label: self._best(rows, choice, label), labels))
        return Choice(choice.weights, tuple(at for at, _ in found), tuple(steps for _, steps in found))

    def _best(self, rows: np.ndarray, choice: Choice, label: int) -> tuple[int, Steps]:
        weights, now = choice.weights[label], choice.thresholds[label]
        metric, count = self.scorer.metric, len(self.scorer.band.thresholds)
        curves = self.scorer.band.counts(label, weights)
        best, score = (now, ()), float(metric(curves[rows, now]).mean())
        for at in dict.fromkeys(int(np.clip(now + beside, 0, count - 1)) for beside in _BESIDE):
            objects = self.of(label, weights, at)
            for steps, counts in self._tried(objects, curves, at, metric, rows):
                reached = float(metric(counts[rows]).mean())
                if reached > score + _NOISE:
                    best, score = (at, steps), reached
        return best

    def _tried(
        self,
        objects: Objects,
        curves: np.ndarray,
        at: int,
        metric: Callable[[np.ndarray], np.ndarray],
        rows: np.ndarray,
    ) -> Iterator[tuple[Steps, np.ndarray]]:
        """Steps and their counts: first of objects, then holes, then the gate, each beside the best before it."""
        typical = np.median(objects.true[objects.true > 0]) if objects.true.any() else 0
        areas = [area for area in _AREAS if area <= typical]
        everything, nothing = np.ones(len(objects.area), np.bool_), np.zeros(len(objects.hole_of), np.bool_)
        kinds = [((), everything)]
        kinds += [((step_of("remove_small", smallest=area),), objects.area >= area) for area in areas]
        kinds += [((step_of("keep_largest", count=count),), objects.rank < count) for count in _KEPT]
        steps, kept = _first_best(kinds, lambda kept: metric(objects.counts(kept, nothing)[rows]).mean())
        yield steps, objects.counts(kept, nothing)
        fills = [(steps, nothing), ((*steps, step_of("fill_holes")), ~nothing)]
        fills += [((*steps, step_of("fill_holes", largest=area)), objects.hole_area <= area) for area in areas]
        steps, filled = _first_best(fills, lambda filled: metric(objects.counts(kept, filled)[rows]).mean())
        counts = objects.counts(kept, filled)
        yield steps, counts
        thresholds = self.scorer.band.thresholds
        for strict in (place for place in np.searchsorted(thresholds, _STRICT) if at < place < len(thresholds)):
            for area in areas:
                gate = curves[:, strict, 1] >= area
                cut = step_of(
                    "two_level", strict=float(thresholds[strict]), loose=float(thresholds[at]), area=area, scope="mask"
                )
                yield (cut, *steps), np.where(gate[:, None], counts, [0, 0, 1] * counts)


def _first_best(
    tried: Sequence[tuple[Steps, np.ndarray]], score: Callable[[np.ndarray], float]
) -> tuple[Steps, np.ndarray]:
    """The first whose score no other beats by more than rounding."""
    best, reached = tried[0], score(tried[0][1])
    for one in tried[1:]:
        found = score(one[1])
        if found > reached + _NOISE:
            best, reached = one, found
    return best
