"""Volume: what the viewer shows of one scan, voxels and label maps in memory, cut into slices when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phalanx.metrics.dice import Dice

# Planes by the axis they are cut across, and what stands at their left, right, top and bottom: a patient seen from the
# feet and from the front, as radiologists look at one, or from the left side.
PLANES = (("sagittal", "APSI"), ("coronal", "RLSI"), ("axial", "RLAP"))


@dataclass(frozen=True, eq=False)
class Labels:
    """A label map.

    Args:
        name: as the page shows it.
        voxels: whole numbers `(x, y, z)`, 0 being none.
    """

    name: str
    voxels: np.ndarray


@dataclass(frozen=True, eq=False)
class Volume:
    """One scan and its label maps. The axes run to the patient's right, front and head.

    Args:
        title: of the page.
        image: float32 `(x, y, z)`.
        spacing: millimetres between voxels along x, y and z.
        values: of the classes.
        classes: their names.
        colours: `#rrggbb`, one a class.
        members: predictions, at least one.
        truth: labels, if there are any.
    """

    title: str
    image: np.ndarray
    spacing: tuple[float, float, float]
    values: Sequence[int]
    classes: Sequence[str]
    colours: Sequence[str]
    members: Sequence[Labels]
    truth: Labels | None

    @property
    def sources(self) -> list[Labels]:
        """The members, and behind them the truth."""
        return [*self.members, *([self.truth] if self.truth else [])]

    @cached_property
    def span(self) -> tuple[float, float]:
        """Smallest and largest grey."""
        return float(self.image.min()), float(self.image.max())

    @cached_property
    def window(self) -> tuple[float, float]:
        """Greys between which all but the darkest and the brightest half per cent lie."""
        # Every seventh voxel: a percentile of millions is as good from a part of them.
        low, high = np.percentile(self.image.ravel()[::7], (0.5, 99.5))
        return (float(low), float(high)) if high > low else self.span

    def dice(self) -> np.ndarray:
        """Dice of each member and class over the whole volume, float64 `(members, classes)`; NaN without a truth."""
        found = np.full((len(self.members), len(self.classes)), np.nan)
        if self.truth is None:
            return found
        for place, member in enumerate(self.members):
            counts = [_counts(member.voxels == value, self.truth.voxels == value) for value in self.values]
            found[place] = Dice()(np.array(counts, np.int64))
        return found


def cut(voxels: np.ndarray, axis: int, index: int) -> np.ndarray:
    """The slice across an axis `(h, w)`, head or front on top, the patient's right or front at the left."""
    return np.ascontiguousarray(np.take(voxels, index, axis).T[::-1, ::-1])


def _counts(a: np.ndarray, b: np.ndarray) -> tuple[int, int, int]:
    return int((a & b).sum()), int(a.sum()), int(b.sum())
