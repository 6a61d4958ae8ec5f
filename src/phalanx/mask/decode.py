"""Logits of a network's frame to runs at the original size.

The result is that of the plain way, restore every plane and threshold it; most of a plane is background, which is
found out at the network's size and never enlarged.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import cv2
import numpy as np

from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.mask import runs


def to_runs(
    logits: np.ndarray, geometry: Geometry, labels: LabelSpace, threshold_logits: np.ndarray | float = 0.0
) -> list[np.ndarray]:
    """Runs of each scored class at the original size.

    In an overlapping label space a pixel belongs to every class whose bilinearly restored logit, in float32, is above
    its threshold; in an exclusive one to the class with the largest restored logit, the first of equals.

    Args:
        logits: `(c, h, w)` in the network's frame.
        geometry: the way back to the original size.
        labels: the label space; its `scored` channels are returned, in order.
        threshold_logits: one number, or one for each scored class. An exclusive space has none.

    Raises:
        ValueError: logits or thresholds that fit neither the label space nor the geometry.
    """
    if logits.shape != (len(labels), *geometry.network):
        wanted = (len(labels), *geometry.network)
        raise ValueError(f"logits do not fit: {logits.shape} where classes and frame are {wanted}. Check the store")
    logits, geometry = geometry.upright(logits)
    thresholds = np.broadcast_to(np.asarray(threshold_logits, np.float32), len(labels.scored))
    if not labels.exclusive:
        return [_above(logits[channel], geometry, thresholds[i]) for i, channel in enumerate(labels.scored)]
    if thresholds.any():
        raise ValueError(f"exclusive classes have no thresholds: {threshold_logits}. Leave them at 0")
    return _winners(logits, geometry, labels)


def _winners(logits: np.ndarray, geometry: Geometry, labels: LabelSpace) -> list[np.ndarray]:
    """Runs of the channels that are largest somewhere; two restored planes in memory at a time."""
    best = geometry.restore(logits[0])
    winner = np.zeros(geometry.original, np.uint16)
    for channel in range(1, len(labels)):
        plane = geometry.restore(logits[channel])
        better = plane > best
        winner[better] = channel
        best = np.maximum(best, plane)
    return [runs.from_mask(winner == channel) for channel in labels.scored]


def _above(plane: np.ndarray, geometry: Geometry, threshold: np.float32) -> np.ndarray:
    """Runs of the restored plane above the threshold."""
    if geometry.crop is not None:
        return runs.from_mask(geometry.restore(plane) > threshold)
    inner = np.asarray(plane[: geometry.inner[0], : geometry.inner[1]], np.float32)
    place = Place.of(inner > margin(threshold), geometry)
    if place is None:
        return runs.empty()
    return runs.from_box(place.enlarge(inner) > threshold, place.corner, geometry.original)


def margin(threshold: np.float32) -> np.float32:
    """What a plane must be above at the network's size to be above the threshold anywhere when it is restored.

    The weights of a bilinear sum may add up to a rounding error more than 1, which would lift a plateau just below a
    threshold other than 0 above it. Not seen with OpenCV 5; the margin costs nothing.
    """
    return threshold - np.float32(1e-6) * abs(threshold)


@dataclass(frozen=True)
class Place:
    """The part of a frame that has to be enlarged, and where it lies in the original image.

    Args:
        source: rows and columns `(start, stop)` of the network's frame that are enlarged.
        target: the same in the original.
        window: rows and columns of the original in which a pixel can be positive; within `target`.
    """

    source: tuple[tuple[int, int], tuple[int, int]]
    target: tuple[tuple[int, int], tuple[int, int]]
    window: tuple[tuple[int, int], tuple[int, int]]

    @classmethod
    def of(cls, positive: np.ndarray, geometry: Geometry) -> Place | None:
        """Around the pixels of a boolean plane of the network's frame; None when there is none."""
        positive = positive[: geometry.inner[0], : geometry.inner[1]]
        rows = np.flatnonzero(positive.any(1))
        if not len(rows):
            return None
        columns = np.flatnonzero(positive[rows[0] : rows[-1] + 1].any(0))
        return cls.around((int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1), geometry)

    @classmethod
    def around(cls, box: tuple[int, int, int, int], geometry: Geometry) -> Place:
        """Around a box `(top, left, bottom, right)` of the network's frame, the last two exclusive; without a crop."""
        assert geometry.crop is None, "a crop has to be restored as a whole"
        found = []
        for axis in (0, 1):
            first, end = box[axis], box[axis + 2]
            sizes = geometry.inner[axis], geometry.original[axis]
            source, target = _span(first, end, *sizes)
            found.append((source, target, _window(first, end, *sizes, target)))
        source, target, window = zip(*found, strict=True)
        return cls(source, target, window)

    @property
    def corner(self) -> tuple[int, int]:
        """`(top, left)` of what `enlarge` gives, in the original."""
        return self.window[0][0], self.window[1][0]

    def enlarge(self, plane: np.ndarray) -> np.ndarray:
        """The window of a float32 plane of the network's frame, restored: to the bit what it is in the whole."""
        crop = plane[slice(*self.source[0]), slice(*self.source[1])]
        if self.source != self.target:
            height, width = (stop - start for start, stop in self.target)
            crop = cv2.resize(np.ascontiguousarray(crop), (width, height), interpolation=cv2.INTER_LINEAR)
        (top, bottom), (left, right) = self.window
        (above, _), (before, _) = self.target
        return crop[top - above : bottom - above, left - before : right - before]


def _span(first: int, end: int, size: int, original: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The part of an axis to enlarge so that it comes out, to the bit, as in the enlargement of the whole axis.

    One pixel of background on either side makes sure that nothing outside can reach the threshold. The part must begin
    and end on whole pixels of both sizes, and the positions, which OpenCV 4 computes in float32, must be exact wherever
    they are counted from: that is so when an enlargement is by a ratio of 2^k to a whole number (512, 768, 1024, 1536
    to 2048). Every other axis is taken whole.

    Returns:
        `(start, stop)` in the network's frame and in the original.
    """
    factor = gcd(size, original)
    step, target = size // factor, original // factor
    if size > original or target & (target - 1):
        return (0, size), (0, original)
    start = max(first - 1, 0) // step
    stop = min(-(-(end + 1) // step), factor)
    return (start * step, stop * step), (start * target, stop * target)


def _window(first: int, end: int, size: int, original: int, limits: tuple[int, int]) -> tuple[int, int]:
    """Where on an original axis, within `limits`, pixels `first` to `end` of the network's can have an influence."""
    # A restored pixel draws on its two neighbours; two pixels more are for rounding.
    start = (first - 1) * original // size - 2
    stop = -(-(end + 1) * original // size) + 2
    return max(start, limits[0]), min(stop, limits[1])
