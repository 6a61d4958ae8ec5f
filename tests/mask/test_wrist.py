"""The bend of the wrist: bars by hand, and phantoms that know how far theirs is bent."""

import cv2
import numpy as np
import pytest

from phalanx.core import hand
from phalanx.datasets._phantom import people
from phalanx.datasets._phantom.shapes import clip_to_frame, pixels
from phalanx.mask import polygon, runs, wrist

SIZE = (240, 200)


def bar(centre, degrees, length=60, breadth=9):
    """A straight bone; degrees from upright, clockwise."""
    plane = np.zeros(SIZE, np.uint8)
    corners = cv2.boxPoints((centre, (breadth, length), degrees))
    cv2.fillPoly(plane, [np.rint(corners).astype(np.int32)], 1)
    return runs.from_mask(plane)


def skeleton(hand_degrees, arm_degrees, side):
    """Five bars; on side 1 the little finger is on the right."""
    turn = np.radians(hand_degrees)
    up, across = np.array([np.sin(turn), -np.cos(turn)]), np.array([np.cos(turn), np.sin(turn)])
    middle = np.array([100.0, 130.0]) + 45 * up
    return {
        "finger-7": bar(tuple(middle - side * 20 * across), hand_degrees),
        "finger-11": bar(tuple(middle), hand_degrees),
        "finger-19": bar(tuple(middle + side * 40 * across), hand_degrees),
        "Radius": bar((100 - side * 14, 190), arm_degrees),
        "Ulna": bar((100 + side * 14, 190), arm_degrees),
    }


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("hand_degrees", "arm_degrees"), [(0, 0), (35, -10), (-20, 12), (50, -5)])
def test_bars_by_hand(side, hand_degrees, arm_degrees):
    found = wrist.angles(skeleton(hand_degrees, arm_degrees, side), SIZE)
    assert found is not None
    # Towards the little finger is positive, and that is on the right of side 1.
    assert found.bend == pytest.approx(side * (hand_degrees - arm_degrees), abs=1.5)
    assert (found.hand, found.forearm) == pytest.approx((hand_degrees, arm_degrees), abs=1.0)


@pytest.mark.parametrize("missing", wrist.BONES)
def test_a_missing_bone_is_no_angle(missing):
    bones = skeleton(10, 0, 1)
    assert wrist.angles({**bones, missing: runs.empty()}, SIZE) is None
    assert wrist.angles({name: mask for name, mask in bones.items() if name != missing}, SIZE) is None


def test_phantoms_are_bent_as_they_were_drawn():
    size, errors = 256, []
    for place in people.roster(8, 4):
        for side in "RL":
            drawn = people.draw_hand(5, place, side)[0]
            bones = {
                bone.name: polygon.to_runs([pixels(clip_to_frame(bone.ring), size)], (size, size), "opencv")
                for bone in drawn.bones
            }
            assert set(bones) == set(hand.NAMES)
            found = wrist.angles(bones, (size, size))
            assert found is not None
            errors.append(found.bend - drawn.deviation)
            assert (abs(found.bend) >= wrist.BENT_DEGREES) == place.bent
    assert np.mean(errors) == pytest.approx(-4.7, abs=1)
    assert np.std(errors) < 1.5
