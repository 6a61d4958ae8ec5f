"""Polygons to masks, by the rasteriser the task's own ground truth was made with.

Rasterisers disagree at the border (against OpenCV, pycocotools has a Dice of 0.992 on hand bones), so which one is used
is part of a task's definition and of its configuration.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from phalanx.core.errors import ConfigError, DataError
from phalanx.mask import coco, runs

RASTERISERS = ("opencv", "coco")

# The most corners and the longest outline taken from one ring. Outlines of 2048 px bones have 300 corners and 1,500 px;
# beyond these caps both libraries need gigabytes or minutes, and pycocotools' 32-bit counters overflow.
MAX_CORNERS = 100_000
MAX_OUTLINE_PX = 10_000_000


def rasterise(rings: Sequence[np.ndarray], size: tuple[int, int], rasteriser: str) -> np.ndarray:
    """The boolean `(height, width)` mask of one class's rings; several rings are united, never subtracted.

    `opencv`: `cv2.fillPoly` on coordinates truncated to integers, pixels on the outline included. `coco`: pycocotools'
    `frPyObjects`, `merge`, `decode`.

    Args:
        rings: each `(points, 2)` as `(x, y)` in pixels.
        size: `(height, width)` of the image.
        rasteriser: one of `RASTERISERS`.

    Raises:
        DataError: a ring with fewer than 3 points or too many, a coordinate that is not finite or further than one
            pixel outside the image.
        ConfigError: no such rasteriser.
    """
    return runs.to_mask(to_runs(rings, size, rasteriser), size)


def to_runs(rings: Sequence[np.ndarray], size: tuple[int, int], rasteriser: str) -> np.ndarray:
    """The runs of `rasterise`, without a mask of the whole image. Arguments and errors are the same."""
    if rasteriser not in RASTERISERS:
        raise ConfigError("no rasteriser has this name", rasteriser, f"choose {' or '.join(RASTERISERS)}")
    checked = [_checked(ring, size) for ring in rings]
    if not checked:
        return runs.empty()
    return _opencv(checked, size) if rasteriser == "opencv" else _coco(checked, size)


def _opencv(rings: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    # Truncation towards zero, as np.int32(points) does in the loaders whose masks are the ground truth.
    corners = [ring.astype(np.int32) for ring in rings]
    x, y = (corners[0] if len(corners) == 1 else np.concatenate(corners)).T
    # OpenCV's fill and its line clipping move with the origin, so a crop gives the pixels of the whole frame as long as
    # it cuts a polygon nowhere but at the image's own border.
    left, right = (min(max(int(side), 0), size[1] - 1) for side in (x.min(), x.max()))
    top, bottom = (min(max(int(side), 0), size[0] - 1) for side in (y.min(), y.max()))
    crop = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    for ring in corners:
        # One ring a call: two in one call would be XORed where they overlap.
        cv2.fillPoly(crop, [ring - np.array([left, top], np.int32)], 1)
    return runs.from_box(crop.view(np.bool_), (top, left), size)


def _coco(rings: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    from pycocotools import mask as coco_mask

    # Its rounding depends on the absolute position, so no crop; the full frame costs nothing until it is decoded.
    pieces = coco_mask.frPyObjects([ring.ravel().tolist() for ring in rings], *size)
    return coco.from_counts(coco_mask.merge(pieces)["counts"], size)


def _checked(ring: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The ring as float64 `(points, 2)`, fit to be given to C code that checks nothing."""
    try:
        points = np.asarray(ring, np.float64)
    except (TypeError, ValueError):
        raise DataError("a polygon's corners are not numbers", repr(ring)[:60], "write them as [x, y]") from None
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3:
        raise DataError("a polygon needs at least 3 corners [x, y]", f"an array {points.shape}", "draw it again")
    if len(points) > MAX_CORNERS:
        raise DataError("a polygon has too many corners", len(points), f"simplify it to at most {MAX_CORNERS}")
    height, width = size
    x, y = points.T
    # Written so that NaN is outside too.
    if not (x.min() >= -1 and y.min() >= -1 and x.max() <= width + 1 and y.max() <= height + 1):
        inside = ((points >= -1) & (points <= (width + 1, height + 1))).all(1)
        index = int(np.argmin(inside))
        seen = (
            f"corner {index + 1} is ({points[index, 0]:g}, {points[index, 1]:g}) in {height} x {width} (height x width)"
        )
        raise DataError("a polygon leaves the image", seen, "check the coordinates and the image's size")
    # No side is longer than the image: most rings are known to be short without a look at their sides.
    if len(points) * (max(size) + 2) <= MAX_OUTLINE_PX:
        return points
    outline = np.abs(np.diff(points, axis=0, append=points[:1])).max(1).sum()
    if outline > MAX_OUTLINE_PX:
        raise DataError("a polygon's outline is too long", f"{outline:.0f} px", f"at most {MAX_OUTLINE_PX} are drawn")
    return points
