"""Choice: one setting of everything the search decides, and what it scores on every case."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import gcd
from typing import Any

import numpy as np

from phalanx.core import catalogue, parallel
from phalanx.ensemble.band import Band
from phalanx.mask import runs
from phalanx.steps._base import Cut

# Tables that are kept, in bytes; a table not kept is counted again.
_KEPT = 1_000_000_000
_MOST = 12_000_000

Weights = tuple[int, ...]
Steps = tuple[tuple[tuple[str, Any], ...], ...]


@dataclass(frozen=True)
class Choice:
    """Weights, threshold and steps of each class.

    Args:
        weights: one row a class, whole numbers, one a member.
        thresholds: index into the band's thresholds, one a class.
        steps: configurations of steps as sorted pairs, one row a class.
    """

    weights: tuple[Weights, ...]
    thresholds: tuple[int, ...]
    steps: tuple[Steps, ...]

    @classmethod
    def plain(cls, band: Band, weights: Sequence[int] | None = None) -> Choice:
        """The mean of all members (or of those with these weights), cut at 0.5, nothing after it."""
        row = simplest([1] * band.members if weights is None else weights)
        half = int(np.searchsorted(band.thresholds, 0.5))
        count = len(band.classes)
        return cls((row,) * count, (half,) * count, ((),) * count)

    @classmethod
    def load(cls, values: dict[str, Any]) -> Choice:
        """The inverse of `to_dict`."""
        return cls(
            tuple(tuple(row) for row in values["weights"]),
            tuple(values["thresholds"]),
            tuple(tuple(tuple((name, value) for name, value in step) for step in row) for row in values["steps"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a file."""
        return asdict(self)

    def with_weights(self, rows: Sequence[Sequence[int]]) -> Choice:
        """The same with other weights."""
        return replace(self, weights=tuple(simplest(row) for row in rows))


def simplest(weights: Sequence[int]) -> Weights:
    """The same shares in the smallest whole numbers.

    >>> simplest([2, 4, 0])
    (1, 2, 0)
    """
    divisor = gcd(*(int(weight) for weight in weights)) or 1
    return tuple(int(weight) // divisor for weight in weights)


class Scorer:
    """Scores of any choice on every case of a band; what was counted once is remembered.

    Args:
        band: the predictions.
        truth: runs of the truth, one list of classes a case.
        metric: an entry of `metrics/` made of counts (`dice`, `iou`).
        most: pixels of the band that fits look at, evenly spread; whatever is decided or reported is scored on all.
    """

    def __init__(
        self, band: Band, truth: Sequence[Sequence[np.ndarray]], metric: str = "dice", most: int = _MOST
    ) -> None:
        self.band, self.truth, self._quick = band, truth, band.thinned(most)
        self.metric = catalogue.entry("metrics", metric)()
        self._tables: OrderedDict[Any, np.ndarray] = OrderedDict()
        self._held = 0

    def curves(self, label: int, weights: Weights) -> np.ndarray:
        """Scores of a class at every threshold, float32 `(cases, thresholds)`, for a fit: see `most`."""
        return self._curves(self._quick, [(label, weights)])[0]

    def all_curves(self, rows: Sequence[Weights]) -> np.ndarray:
        """The curves of every class, float32 `(classes, cases, thresholds)`, on all cores, for a fit: see `most`."""
        return np.stack(self._curves(self._quick, list(enumerate(rows))))

    def _curves(self, band: Band, wanted: Sequence[tuple[int, Weights]]) -> list[np.ndarray]:
        keys = [(band.step, label, simplest(weights)) for label, weights in wanted]
        # Held here first: what is kept next may push them out.
        found = {key: self._tables[key] for key in keys if key in self._tables}
        for key in found:
            self._tables.move_to_end(key)
        missing = [key for key in keys if key not in found]
        counted = parallel.ordered(lambda key: band.counts(key[1], key[2]), missing, 1 if len(missing) < 2 else 0)
        for key, counts in zip(missing, counted, strict=True):
            found[key] = self.metric(counts).astype(np.float32)
            self._keep(key, found[key])
        return [found[key] for key in keys]

    def table(self, choice: Choice) -> np.ndarray:
        """Scores `(cases, classes)` of a choice, its steps really done."""
        curves = self._curves(self.band, list(enumerate(choice.weights)))
        table = np.stack([curves[label][:, at] for label, at in enumerate(choice.thresholds)], 1).astype(np.float64)
        for label, column in self._after(choice).items():
            table[:, label] = column
        return table

    def _after(self, choice: Choice) -> dict[int, np.ndarray]:
        """Scores `(cases,)` of the classes that have steps."""
        keys = {
            label: (label, choice.weights[label], choice.thresholds[label], steps)
            for label, steps in enumerate(choice.steps)
            if steps
        }
        missing = [label for label, key in keys.items() if key not in self._tables]
        found = {label: self._tables[key] for label, key in keys.items() if key in self._tables}
        counted = parallel.ordered(lambda one: self._stepped(*keys[one]), missing)
        for label, counts in zip(missing, counted, strict=True):
            found[label] = self.metric(counts)
            self._keep(keys[label], found[label])
        return found

    def _stepped(self, label: int, weights: Weights, at: int, steps: Steps) -> np.ndarray:
        masks = apply(self.band, label, weights, at, steps)
        pairs = [(mask, true[label]) for mask, true in zip(masks, self.truth, strict=True)]
        rows = [(runs.overlap(mask, true), runs.area(mask), runs.area(true)) for mask, true in pairs]
        return np.array(rows, np.int64).reshape(-1, 3)

    def _keep(self, key: Any, table: np.ndarray) -> None:
        self._tables[key] = table
        self._held += table.nbytes
        while self._held > _KEPT and len(self._tables) > 1:
            self._held -= self._tables.popitem(last=False)[1].nbytes


def apply(band: Band, label: int, weights: Weights, at: int, steps: Steps) -> list[np.ndarray]:
    """Masks of a class after its steps, one a case."""
    built = [built_step(step) for step in steps]
    if built and isinstance(built[0], Cut):
        cut, rest = built[0], built[1:]
        places = [int(np.abs(band.thresholds - level).argmin()) for level in cut.levels]
        levels = [band.masks(label, weights, place) for place in places]
        masks = [cut(found, size) for *found, size in zip(*levels, band.sizes, strict=True)]
    else:
        rest, masks = built, band.masks(label, weights, at)
    for step in rest:
        masks = [step(mask, size) for mask, size in zip(masks, band.sizes, strict=True)]
    return masks


def built_step(step: tuple[tuple[str, Any], ...]) -> Any:
    """A step of the catalogue, from its configuration as pairs."""
    values = dict(step)
    entry = catalogue.entry("steps", values["name"])
    return entry(entry.Config.model_validate(values))


def step_of(name: str, **values: Any) -> tuple[tuple[str, Any], ...]:
    """A step's configuration as pairs that can be compared and hashed."""
    return (("name", name), *sorted(values.items()))
