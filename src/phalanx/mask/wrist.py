"""The bend of the wrist, and how hand and forearm lie in the picture, from the masks of three bones.

The hand's axis is that of the middle finger's metacarpal, the forearm's the mean direction of radius and ulna; each
bone's axis is the longest extent of its mask. In 300 phantom hands of 512 px, a quarter of them bent by 40 to 60
degrees, the angle follows the bend that the hand was drawn with to 0.8 degrees (standard deviation; 1.0 at 128 px); it
is 4.7 degrees less, because the phantom's forearm leans a little when its bend is 0. Not measured on real hands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from phalanx.mask import moments

# Most wrists of the hand-bone set are within 20 degrees, the bent ones between 40 and 60 (spec 1.11).
BENT_DEGREES = 30.0

BONES = ("finger-7", "finger-11", "finger-19", "Radius", "Ulna")
_SHORT_PX = 3


class Wrist(NamedTuple):
    """Angles of one hand in degrees.

    Args:
        bend: of the hand against the forearm, positive towards the little finger.
        hand: direction of the hand from upright, positive when it leans to the right of the picture.
        forearm: the same of the forearm.
    """

    bend: float
    hand: float
    forearm: float


def angles(bones: Mapping[str, np.ndarray], size: tuple[int, int]) -> Wrist | None:
    """Angles of a hand; None when a bone of `BONES` is missing or too small to have a direction.

    Args:
        bones: class name -> runs.
        size: `(height, width)` of the image.
    """
    found = {name: moments.of(bones.get(name, np.empty((0, 2), np.int64)), size) for name in BONES}
    known = {name: item for name, item in found.items() if item is not None and item.area >= _SHORT_PX**2}
    return of_moments(known) if len(known) == len(BONES) else None


def of_moments(bones: Mapping[str, moments.Moments]) -> Wrist:
    """Angles of a hand, from the moments of the bones in `BONES`."""
    arm = (bones["Radius"].centre + bones["Ulna"].centre) / 2
    outwards = bones["finger-11"].centre - arm
    hand = _towards(bones["finger-11"].axis(), outwards)
    forearm = _towards(bones["Radius"].axis(), outwards) + _towards(bones["Ulna"].axis(), outwards)
    across = bones["finger-19"].centre - bones["finger-7"].centre
    side = 1.0 if _cross(hand, across) >= 0 else -1.0
    bend = np.degrees(np.arctan2(_cross(forearm, hand), forearm @ hand)) * side
    return Wrist(float(bend), *(float(np.degrees(np.arctan2(axis[0], -axis[1]))) for axis in (hand, forearm)))


def _towards(axis: np.ndarray, direction: np.ndarray) -> np.ndarray:
    return axis if axis @ direction >= 0 else -axis


def _cross(one: np.ndarray, two: np.ndarray) -> float:
    """Positive when `two` points to the right of `one` on the screen (y down)."""
    return float(one[0] * two[1] - one[1] * two[0])
