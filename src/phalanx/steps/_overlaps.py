"""Which classes share pixels, and which never do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

import numpy as np

from phalanx.mask import runs

Pair = tuple[str, str]


def never_overlapping(cases: Iterable[Mapping[str, np.ndarray]], slips: int = 0) -> tuple[Pair, ...]:
    """Learn from labels which classes never share a pixel.

    What was not seen is not known: a pair is listed only if both classes occur together in more than `slips` cases.

    Args:
        cases: class name -> runs of each case, for instance of the training labels.
        slips: cases in which a pair may overlap and still be listed, for labels with mistakes.

    Returns:
        Pairs of names, in the order in which the names first came.
    """
    names: dict[str, None] = {}
    together: Counter[Pair] = Counter()
    overlapping: Counter[Pair] = Counter()
    for masks in cases:
        names |= dict.fromkeys(masks)
        present = [name for name in names if len(masks.get(name, ()))]
        together.update(combinations(present, 2))
        overlapping.update(pair for pair, _ in shared(masks, combinations(present, 2)))
    return tuple(pair for pair in combinations(names, 2) if overlapping[pair] <= slips < together[pair])


def shared(masks: Mapping[str, np.ndarray], pairs: Iterable[Pair]) -> Iterator[tuple[Pair, np.ndarray]]:
    """The pairs that share pixels, and the runs of these."""
    for first, second in pairs:
        one, two = masks[first], masks[second]
        if not len(one) or not len(two) or one[-1, 1] <= two[0, 0] or two[-1, 1] <= one[0, 0]:
            continue
        both = runs.intersect(one, two)
        if len(both):
            yield (first, second), both


def subtract(mask: np.ndarray, taken: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Runs of the pixels of `mask` that are not in `taken`."""
    rest = np.concatenate([[0], taken.ravel(), [size[0] * size[1]]]).reshape(-1, 2)
    return runs.intersect(mask, rest)
