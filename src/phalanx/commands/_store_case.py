"""One case of a store: what is predicted, class by class."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from rich.table import Table
from rich.text import Text

from phalanx.commands import _store_listing
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.mask import decode
from phalanx.mask import runs as run_lengths
from phalanx.store import export
from phalanx.store.predictions import Store

# A probability between these is undecided.
UNDECIDED = (0.1, 0.9)


@dataclass(frozen=True)
class Shown:
    """A case.

    Args:
        case: its id.
        labels: the classes.
        geometry: the way back to the image.
        probability: float32 `(c, h, w)` of the picture in the network's frame, padding cut off.
        masks: runs of each scored class at the image's size.
        threshold: above which they were taken.
    """

    case: str
    labels: LabelSpace
    geometry: Geometry
    probability: np.ndarray
    masks: list[np.ndarray]
    threshold: float

    def undecided(self) -> np.ndarray:
        """Boolean `(scored, h, w)`."""
        scored = self.probability[list(self.labels.scored)]
        return (scored > UNDECIDED[0]) & (scored < UNDECIDED[1])


def read(store: Store, case: str, threshold: float) -> Shown:
    """Read a case.

    Raises:
        StoreError: it is not there, or damaged.
    """
    logits, geometry = store.read(case)
    level = 0.0 if store.labels.exclusive else math.log(threshold / (1 - threshold))
    masks = decode.to_runs(logits, geometry, store.labels, level)
    height, width = geometry.inner
    probability = export.probability(logits[:, :height, :width], store.labels)
    return Shown(case, store.labels, geometry, probability, masks, threshold)


def title(shown: Shown) -> str:
    """The case in a line."""
    sizes = [f"{height} x {width}" for height, width in (shown.geometry.original, shown.geometry.inner)]
    return f"{_store_listing.plain(shown.case)}: image {sizes[0]}, predicted at {sizes[1]}"


def table(shown: Shown) -> Table:
    """A line a class: pixels of the image, certainty, and where it lies."""
    above = "pixels won" if shown.labels.exclusive else f"above {shown.threshold:g}"
    low, high = UNDECIDED
    found = Table("class", above, "largest", f"{low:g} to {high:g}", "box", box=None, pad_edge=False)
    for column in found.columns[1:4]:
        column.justify, column.no_wrap = "right", True
    names = zip(shown.labels.scored, shown.labels.scored_names, shown.masks, shown.undecided(), strict=True)
    for channel, name, mask, undecided in names:
        largest = float(shown.probability[channel].max())
        cells = (f"{run_lengths.area(mask):,}", f"{largest:.4f}", f"{undecided.mean():.2%}")
        found.add_row(Text(name), *cells, _box(mask, shown.geometry.original))
    return found


def _box(mask: np.ndarray, size: tuple[int, int]) -> str:
    """First and last column and row."""
    if not len(mask):
        return "none"
    top, left, bottom, right = run_lengths.box(mask, size)
    return f"x {left} to {right - 1}, y {top} to {bottom - 1}"
