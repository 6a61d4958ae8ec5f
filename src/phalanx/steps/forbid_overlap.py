"""Forbid overlap: classes that cannot lie over each other never share a pixel.

In hand X-rays neighbouring wrist bones overlap in every picture and other pairs never do: an overlap of bones that are
no neighbours is an error. `_overlaps.never_overlapping` learns the pairs from labels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import combinations
from typing import Literal, Self

import numpy as np
from pydantic import model_validator

from phalanx.core.catalogue import Strict, nearest
from phalanx.core.errors import ConfigError
from phalanx.mask import runs
from phalanx.steps import _overlaps
from phalanx.steps._base import Joint
from phalanx.steps._overlaps import Pair


class ForbidOverlap(Joint):
    """Takes shared pixels from one class of a forbidden pair, or from both.

    All pairs are judged on the masks as they came, so their order does not matter. A pixel that `B` loses to `A` and
    `C` to `B` stays with `A` alone, even if `A` and `C` may overlap.
    """

    class Config(Strict):
        """The pairs, and who keeps what they share. Either `pairs` or `allowed` is given.

        Args:
            pairs: pairs of class names that never share a pixel; every other pair may.
            allowed: pairs of class names that may share pixels; every other pair never does. May be empty.
            keep: who keeps the pixels. `larger`, `smaller`: by pixels of the whole mask, of equal ones the one that is
                first in the case; `first`: the one named first in `pairs`, with `allowed` the one that is first in
                the case; `neither`.
        """

        name: Literal["forbid_overlap"] = "forbid_overlap"
        pairs: tuple[Pair, ...] | None = None
        allowed: tuple[Pair, ...] | None = None
        keep: Literal["larger", "smaller", "first", "neither"] = "larger"

        @model_validator(mode="after")
        def _one_list(self) -> Self:
            if (self.pairs is None) == (self.allowed is None):
                seen = "neither" if self.pairs is None else "both"
                raise ValueError(f"either pairs or allowed is needed: {seen} given. Give one of the two")
            known: set[frozenset[str]] = set()
            for first, second in self.pairs or self.allowed or ():
                pair = frozenset((first, second))
                if len(pair) < 2:
                    raise ValueError(f"a pair has two classes: {first}, {second}. Name another class or delete it")
                if pair in known:
                    raise ValueError(f"a pair is named twice: {first}, {second}. Delete one of them")
                known.add(pair)
            return self

    config: Config

    def __call__(self, masks: Mapping[str, np.ndarray], size: tuple[int, int]) -> dict[str, np.ndarray]:
        """The masks without forbidden overlaps."""
        taken: dict[str, list[np.ndarray]] = defaultdict(list)
        for pair, both in _overlaps.shared(masks, self._forbidden(masks)):
            for loser in self._losers(pair, masks):
                taken[loser].append(both)
        return {
            name: _overlaps.subtract(mask, runs.union(taken[name]), size) if name in taken else mask
            for name, mask in masks.items()
        }

    def warnings(self, masks: Mapping[str, np.ndarray], size: tuple[int, int]) -> list[str]:
        """One sentence for each pair that overlaps and may not."""
        return [
            f"{first} and {second} share {runs.area(both):,} px and may not overlap."
            for (first, second), both in _overlaps.shared(masks, self._forbidden(masks))
        ]

    def _forbidden(self, masks: Mapping[str, np.ndarray]) -> list[Pair]:
        """The forbidden pairs among the classes of a case."""
        names = tuple(masks)
        for name in (name for pair in self.config.pairs or self.config.allowed or () for name in pair):
            if name not in masks:
                raise ConfigError("forbid_overlap names a class that the case has not", name, nearest(name, names))
        if self.config.pairs is not None:
            return list(self.config.pairs)
        allowed = {frozenset(pair) for pair in self.config.allowed or ()}
        return [pair for pair in combinations(names, 2) if frozenset(pair) not in allowed]

    def _losers(self, pair: Pair, masks: Mapping[str, np.ndarray]) -> Pair | tuple[str]:
        """Who gives up what the pair shares."""
        if self.config.keep == "neither":
            return pair
        if self.config.keep == "first":
            return (pair[1],)
        first, second = (name for name in masks if name in pair)
        sign = 1 if self.config.keep == "larger" else -1
        return (first if sign * (runs.area(masks[second]) - runs.area(masks[first])) > 0 else second,)
