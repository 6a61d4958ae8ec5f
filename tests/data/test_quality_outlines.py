"""Outlines that cross themselves, are drawn twice, or are no outlines at all."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx.core.case import Case, Polygons
from phalanx.data import _quality_outlines

SQUARE = np.array([[2, 3], [22, 3], [22, 13], [2, 13]], float)
BOW = np.array([[0, 0], [30, 20], [30, 0], [0, 20]], float)


def findings(rings):
    labels = Polygons(rings)
    return list(_quality_outlines.check(Case("x.png", Path("x.png"), labels), labels))


def test_sound_outlines_say_nothing():
    star = np.array([[10, 0], [13, 8], [20, 10], [13, 12], [10, 20], [7, 12], [0, 10], [7, 8]], float)
    assert findings({"a": [SQUARE, SQUARE + 30], "b": [star]}) == []


def test_bow_tie_by_hand():
    assert _quality_outlines.crossed(BOW) == pytest.approx((15, 10, 150))
    (found,) = findings({"a": [SQUARE], "b": [BOW]})
    assert found.kind == "an outline crosses itself"
    assert (found.classes, found.evidence["loop_px"]) == (("b",), pytest.approx(150))
    assert found.remedy is None


def test_touching_is_not_crossing():
    # Two triangles that share a corner: the outline passes twice through one point.
    touching = np.array([[0, 0], [20, 0], [10, 10], [20, 20], [0, 20], [10, 10]], float)
    assert _quality_outlines.crossed(touching) is None
    spike = np.array([[0, 0], [10, 0], [30, 0], [10, 0], [10, 10], [0, 10]], float)
    assert _quality_outlines.crossed(spike) is None


def test_a_tiny_loop_is_rounding():
    loop = np.array([[0, 0], [40, 0], [40, 30], [21, 30], [19, 31], [19, 30], [21, 31], [0, 30]], float)
    assert _quality_outlines.crossed(loop) is not None
    assert findings({"a": [loop]}) == []


def brute(ring):
    """Proper crossings of all pairs of sides, by the sign of four areas."""
    sides = list(zip(ring, np.roll(ring, -1, 0), strict=True))

    def area(a, b, c):
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    for (a, b), (c, d) in combinations(sides, 2):
        if area(a, b, c) * area(a, b, d) < 0 and area(c, d, a) * area(c, d, b) < 0:
            return True
    return False


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=3, max_size=9))
def test_against_every_pair_of_sides(points):
    ring = np.array(points, float)
    assert (_quality_outlines.crossed(ring) is not None) == brute(ring)


def test_a_click_and_a_copy_can_be_deleted():
    click = np.array([[5, 5], [6, 5], [5, 6]], float)
    turned = np.roll(SQUARE, 2, 0)[::-1]
    tiny, twice = findings({"a": [SQUARE, click], "b": [SQUARE, turned]})
    assert tiny.kind == "an outline of hardly any area"
    assert tiny.remedy == {"delete": {"class": "a", "part": 1}}
    assert twice.kind == "the same outline twice"
    assert twice.remedy == {"delete": {"class": "b", "part": 1}}
    # Alone it is all there is of the class: deleting it would hide the fault.
    (alone,) = findings({"a": [click]})
    assert alone.remedy is None
