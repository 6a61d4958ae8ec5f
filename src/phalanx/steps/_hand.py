"""Bones of a hand in a picture: how far apart they lie, and which part of a broken mask fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from phalanx.core import hand
from phalanx.mask import components, runs

# Parts below this share of the largest are specks, however well they lie. A bone drawn at the place of another is up
# to 24 times too large among 240 phantom hands; in the data set the mean areas are 19 times apart (75,128 px of the
# Radius, 3,895 px of finger-16).
_SPECK = 0.02
# Units of the hand by which a part must be nearer than a larger one. Half the room there is between neighbours on
# phantoms (0.21), and an outline that is drawn 10 px too small at 2048 px.
_ALIKE = 0.1
# Masks of noise fall into thousands of parts; no more than these are weighed, the largest.
_WEIGHED = 32


def unit(bones: Mapping[str, np.ndarray]) -> float:
    """The measure of a hand in pixels: the median over its bones of the square root of their area.

    About 1/18 of the width of a phantom (1/16 to 1/21), and hardly moved by a bone that is missing, torn or misplaced.

    Args:
        bones: name -> runs of the bones that are there, at least one.
    """
    return float(np.median([np.sqrt(runs.area(mask)) for mask in bones.values()]))


def gap(one: np.ndarray, two: np.ndarray, size: tuple[int, int]) -> float:
    """Background between two masks in pixels: 0 where they overlap or touch by a side.

    The Euclidean distance of the nearest pixels' centres, less one. The distance of the masks' boxes repairs almost as
    well (97.0 instead of 97.3 %), but is 0 for 18 % of the neighbouring fingers of phantoms, this for 0.2 %.

    Args:
        one: runs of at least one pixel.
        two: the same.
        size: `(height, width)` of the image.
    """
    if runs.overlap(one, two):
        return 0.0
    # The nearest pixels lie no further apart than any others: pixels further than that from the other mask's box are
    # left out. The pairs of a hand of 2048 px take eight times as long without this and the line above.
    reach = int(np.ceil(_bound(one, two, size[1])))
    one, two = _near(one, two, reach, size), _near(two, one, reach, size)
    boxes = np.array([runs.box(one, size), runs.box(two, size)])
    top, left = boxes[:, :2].min(0)
    background = np.ones(boxes[:, 2:].max(0) - (top, left), np.uint8)
    crop, (y, x) = runs.to_box(two, size)
    background[y - top :, x - left :][: crop.shape[0], : crop.shape[1]] = ~crop
    distance = cv2.distanceTransform(background, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    crop, (y, x) = runs.to_box(one, size)
    return float(distance[y - top :, x - left :][: crop.shape[0], : crop.shape[1]][crop].min()) - 1


def _bound(one: np.ndarray, two: np.ndarray, width: int) -> float:
    """The distance of the nearest among a few pixels of each mask."""
    ends = []
    for mask in (one, two):
        few = mask[:: len(mask) // 64 + 1]
        y, x = np.divmod(np.concatenate([few[:, 0], few[:, 1] - 1]), width)
        ends.append(y + 1j * x)
    return float(np.abs(ends[0][:, None] - ends[1]).min())


def _near(mask: np.ndarray, other: np.ndarray, reach: int, size: tuple[int, int]) -> np.ndarray:
    """The pixels of a mask at most `reach` from the box of another, along each axis."""
    top, left, bottom, right = runs.box(other, size)
    rows = np.arange(max(top - reach, 0), min(bottom + reach, size[0])) * size[1]
    window = np.stack([rows + max(left - reach, 0), rows + min(right + reach, size[1])], 1)
    return runs.intersect(mask, window)


def whole(bones: Mapping[str, np.ndarray], size: tuple[int, int]) -> dict[str, np.ndarray]:
    """One connected part of each bone: the one that lies nearest to the bone's neighbours.

    Bones in one part, specks apart, are trusted. The others follow, first those with the most trusted neighbours, then
    those whose largest part has the largest share, and are trusted from then on. The distance of a part is that to the
    furthest of its bone's trusted neighbours; of parts as near as the nearest, see `_ALIKE`, the largest stays.

    Args:
        bones: name -> runs of the bones that are there, at least one.
        size: `(height, width)` of the image.
    """
    alike = _ALIKE * unit(bones)
    parts = {name: _likely(mask, size) for name, mask in bones.items()}
    trusted = {name: found[0] for name, found in parts.items() if len(found) == 1}
    surely = {name: runs.area(found[0]) / runs.area(bones[name]) for name, found in parts.items()}
    torn = [name for name in bones if name not in trusted]
    while torn:
        beside = {name: [trusted[bone] for bone in hand.neighbours(name) if bone in trusted] for name in torn}
        name = max(torn, key=lambda bone: (len(beside[bone]), surely[bone]))
        trusted[name] = _fitting(parts[name], beside[name], alike, size)
        torn.remove(name)
    return trusted


def parts_of(mask: np.ndarray, size: tuple[int, int]) -> tuple[list[np.ndarray], np.ndarray]:
    """The connected parts of a mask of at least one pixel, and the pixels of each, int64."""
    parts = components.split(mask, size)
    heads = np.append(0, np.cumsum([len(part) for part in parts]))[:-1]
    pieces = np.concatenate(parts)
    return parts, np.add.reduceat(pieces[:, 1] - pieces[:, 0], heads)


def _likely(mask: np.ndarray, size: tuple[int, int]) -> list[np.ndarray]:
    """The parts of a mask that may be the bone, the largest first."""
    parts, areas = parts_of(mask, size)
    order = np.argsort(-areas, kind="stable")[:_WEIGHED]
    return [parts[part] for part in order if areas[part] >= _SPECK * areas.max()]


def _fitting(
    parts: Sequence[np.ndarray], beside: Sequence[np.ndarray], alike: float, size: tuple[int, int]
) -> np.ndarray:
    """The first part that is at most `alike` pixels further than the nearest from all of some bones."""
    distances: list[float] = []
    for part in parts:
        distances.append(max((gap(part, bone, size) for bone in beside), default=0.0))
        # Far parts take the longest to measure, 5 ms each at 2048 px; mostly the first fits.
        if distances[0] <= alike:
            break
    return next(part for part, distance in zip(parts, distances, strict=False) if distance <= min(distances) + alike)
