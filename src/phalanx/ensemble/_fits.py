"""Fits: each looks at some cases and changes one part of a choice so that it scores best on them.

Members are chosen by greedy forward selection with replacement (Caruana et al. 2004, Ensemble selection from libraries
of models, ICML, section 2), which is a search of weights in steps of one round; ties go to members that are in already,
so that ensembles stay small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from phalanx.ensemble.choice import Choice, Scorer, Weights, simplest

# Gains below this are rounding.
_NOISE = 1e-6
_ROUNDS, _PATIENCE = 20, 4
# A member that adds less than this to the score is left out.
_DISPENSABLE = 2e-4
# Sum of the whole weights of a refined or shrunken mean.
_TOTAL = 24

Rows = np.ndarray


def best_single(scorer: Scorer, rows: Rows) -> Choice:
    """The member with the best score, alone, at 0.5."""
    singles = [Choice.plain(scorer.band, unit(scorer.band.members, place)) for place in range(scorer.band.members)]
    return max(singles, key=lambda choice: round(_mean(scorer.table(choice), rows), 9))


def members(scorer: Scorer, rows: Rows, choice: Choice) -> Choice:
    """One weight a member, the same for every class."""
    at = np.array(choice.thresholds)

    def score(weights: Weights) -> float:
        curves = scorer.all_curves([weights] * len(at))
        return float(curves[np.arange(len(at)), :, at][:, rows].mean(dtype=np.float64))

    found = _pruned(score, _refined(score, _greedy(score, scorer.band.members)))
    return choice.with_weights([found] * len(at))


def class_weights(share: float) -> Callable[[Scorer, Rows, Choice], Choice]:
    """A fit of one weight a member and class: `share` of what is best for the class, the rest of what all have."""

    def fit(scorer: Scorer, rows: Rows, choice: Choice) -> Choice:
        found = []
        for label, weights in enumerate(choice.weights):
            at = choice.thresholds[label]

            def score(tried: Weights, label: int = label, at: int = at) -> float:
                return float(scorer.curves(label, tried)[rows, at].mean(dtype=np.float64))

            own = _greedy(score, scorer.band.members)
            found.append(_between(weights, own, share))
        return choice.with_weights(found)

    return fit


def one_threshold(scorer: Scorer, rows: Rows, choice: Choice) -> Choice:
    """The same threshold for every class."""
    curve = scorer.all_curves(choice.weights)[:, rows].mean((0, 1), dtype=np.float64)
    return replace(choice, thresholds=(_peak(curve, choice.thresholds[0]),) * len(choice.thresholds))


def thresholds(scorer: Scorer, rows: Rows, choice: Choice) -> Choice:
    """One threshold a class."""
    curves = scorer.all_curves(choice.weights)[:, rows].mean(1, dtype=np.float64)
    found = tuple(_peak(curve, now) for curve, now in zip(curves, choice.thresholds, strict=True))
    return replace(choice, thresholds=found)


def unit(count: int, place: int) -> list[int]:
    """All the weight on one member."""
    return [int(place == other) for other in range(count)]


def _mean(table: np.ndarray, rows: Rows) -> float:
    return float(table[rows].mean(0).mean())


def _peak(curve: np.ndarray, now: int) -> int:
    """Where a curve is highest, after its neighbours had their say; where it stands unless that is truly better."""
    padded = np.pad(curve, 2, mode="edge")
    smooth = np.convolve(padded, [0.1, 0.2, 0.4, 0.2, 0.1], "valid")
    best = int(smooth.argmax())
    return best if smooth[best] > smooth[now] + _NOISE else now


def _greedy(score: Callable[[Weights], float], count: int) -> Weights:
    weights, best, kept, since = [0] * count, -np.inf, [0] * count, 0
    for _ in range(_ROUNDS):
        tried = [
            simplest([weight + extra for weight, extra in zip(weights, unit(count, place), strict=True)])
            for place in range(count)
        ]
        gains = np.round([score(one) for one in tried], 6)
        place = max(range(count), key=lambda one: (gains[one], weights[one] > 0, -one))
        weights[place] += 1
        since += 1
        if gains[place] > best + _NOISE / 2:
            best, kept, since = gains[place], list(weights), 0
        if since >= _PATIENCE:
            break
    return simplest(kept)


def _refined(score: Callable[[Weights], float], weights: Weights) -> Weights:
    """Hill climbing in small steps from what the greedy selection found."""
    scale = max(1, _TOTAL // sum(weights))
    now, best = [weight * scale for weight in weights], score(weights)
    for _ in range(_ROUNDS):
        moves = [
            [weight + change * extra for weight, extra in zip(now, unit(len(now), place), strict=True)]
            for place in range(len(now))
            for change in (1, -1)
        ]
        moves = [move for move in moves if min(move) >= 0 and any(move)]
        gains = [score(simplest(move)) for move in moves]
        place = int(np.argmax(np.round(gains, 7)))
        if gains[place] <= best + _NOISE:
            break
        now, best = moves[place], gains[place]
    return simplest(now)


def _pruned(score: Callable[[Weights], float], weights: Weights) -> Weights:
    """Without members that the rest can do without: a smaller ensemble is cheaper, and such a gain would not last."""
    best = score(weights)
    while True:
        rest = [
            simplest([weight * (other != place) for other, weight in enumerate(weights)])
            for place, weight in enumerate(weights)
            if 0 < weight < sum(weights)
        ]
        scores = [score(row) for row in rest]
        if not rest or max(scores) < best - _DISPENSABLE:
            return weights
        weights = rest[int(np.argmax(scores))]


def _between(common: Weights, own: Weights, share: float) -> Weights:
    mixed = (1 - share) * np.array(common) / sum(common) + share * np.array(own) / sum(own)
    return simplest(_whole(mixed))


def _whole(shares: Sequence[float] | np.ndarray) -> list[int]:
    """Whole numbers that add up to `_TOTAL` and come nearest to these shares (largest remainder)."""
    exact = np.asarray(shares) * _TOTAL
    floor = np.floor(exact + 1e-9).astype(int)
    rest = _TOTAL - floor.sum()
    order = np.argsort(floor - exact, kind="stable")
    floor[order[:rest]] += 1
    return floor.tolist()
