import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from phalanx.mask import _objects, _painted, components, runs

MASKS = st.one_of(
    arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=11)),
    arrays(np.bool_, st.tuples(st.just(1), st.integers(1, 23))),
    arrays(np.bool_, st.tuples(st.integers(1, 23), st.just(1))),
)
WAYS = st.sampled_from([4, 8])


@pytest.fixture(params=[_objects, _painted], ids=["compiled", "painted"], autouse=True)
def engine(request, monkeypatch):
    """Both ways of finding objects."""
    monkeypatch.setattr(components, "_engine", lambda: request.param)


def objects(mask, connectivity):
    """The objects as SciPy sees them, by first pixel."""
    labels, count = ndimage.label(mask, np.ones((3, 3)) if connectivity == 8 else None)
    return sorted((runs.from_mask(labels == label) for label in range(1, count + 1)), key=lambda part: part[0, 0])


def test_by_hand():
    mask = np.array(
        [
            [0, 0, 0, 0, 1, 1],
            [1, 0, 0, 0, 0, 0],
            [0, 1, 0, 0, 1, 0],
            [0, 0, 0, 0, 1, 0],
            [0, 0, 0, 0, 1, 0],
        ],
        bool,
    )
    found = runs.from_mask(mask)
    # Pixels 5 and 6 touch as indices, at the end of one row and the start of the next, and not as pixels.
    assert found.tolist() == [[4, 7], [13, 14], [16, 17], [22, 23], [28, 29]]
    assert [part.tolist() for part in components.split(found, mask.shape)] == [
        [[4, 6]],
        [[6, 7], [13, 14]],
        [[16, 17], [22, 23], [28, 29]],
    ]
    assert [part.tolist() for part in components.split(found, mask.shape, 4)] == [
        [[4, 6]],
        [[6, 7]],
        [[13, 14]],
        [[16, 17], [22, 23], [28, 29]],
    ]
    assert components.largest(found, mask.shape).tolist() == [[16, 17], [22, 23], [28, 29]]
    # The first of the two objects of two pixels.
    assert components.largest(found, mask.shape, count=2).tolist() == [[4, 6], [16, 17], [22, 23], [28, 29]]
    assert components.largest(found, mask.shape, 4, 4).tolist() == found.tolist()
    assert components.remove_small(found, mask.shape, 2, 4).tolist() == [[4, 6], [16, 17], [22, 23], [28, 29]]
    assert components.remove_small(found, mask.shape, 4).tolist() == []


def test_of_equals_the_first_is_the_largest():
    mask = np.zeros((4, 9), bool)
    mask[2:, 6:] = True
    mask[1:3, 1:4] = True
    assert components.largest(runs.from_mask(mask), mask.shape).tolist() == [[10, 13], [19, 22]]


def test_corners_do_not_reach_around_the_border():
    # (0, 4) and (2, 0) have indices that differ by a row and a pixel.
    mask = np.zeros((3, 5), bool)
    mask[0, 4] = mask[2, 0] = mask[1, 2] = True
    assert len(components.split(runs.from_mask(mask), mask.shape)) == 3


def test_objects_that_meet_late():
    comb = np.array([[1, 0, 1, 0, 1], [1, 0, 1, 0, 1], [1, 1, 1, 0, 1], [0, 0, 1, 1, 1]], bool)
    found = runs.from_mask(comb)
    assert [part.tolist() for part in components.split(found, comb.shape, 4)] == [found.tolist()]


def test_nothing_and_everything():
    nothing, full = runs.empty(), np.array([[0, 20]])
    assert components.split(nothing, (4, 5)) == []
    assert [part.tolist() for part in components.split(full, (4, 5))] == [[[0, 20]]]
    for work in (components.largest, components.fill_holes, lambda *mask: components.remove_small(*mask, 20)):
        assert work(nothing, (4, 5)).shape == (0, 2)
        assert work(full, (4, 5)).tolist() == [[0, 20]]
    with pytest.raises(ValueError, match="4 or 8"):
        components.split(nothing, (4, 5), 6)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one object"):
        components.largest(full, (4, 5), count=0)


def test_holes_by_hand():
    mask = np.array(
        [
            [0, 1, 1, 1, 0, 0, 0],
            [1, 1, 0, 1, 1, 1, 0],
            [1, 0, 0, 1, 0, 1, 1],
            [1, 1, 1, 0, 1, 0, 1],
            [0, 0, 1, 1, 1, 1, 1],
            [0, 0, 1, 0, 0, 1, 0],
        ],
        bool,
    )
    found, size = runs.from_mask(mask), mask.shape

    def holes(largest):
        return np.argwhere(runs.to_mask(components.fill_holes(found, size, largest), size) & ~mask).tolist()

    # Three pixels, and three single ones that touch others by a corner alone; (5, 3) is open to the border below.
    small = [[2, 4], [3, 3], [3, 5]]
    assert holes(0) == []
    assert holes(1) == holes(2) == small
    assert holes(3) == holes(None) == [[1, 2], [2, 1], [2, 2], *small]


@pytest.mark.parametrize("turned", [False, True])
def test_a_hole_that_is_open_at_a_corner_of_the_mask(turned):
    # The last pixel of the mask, or the first, lies beside the one through which the hole is open.
    mask = np.array([[1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 0, 0]], bool)
    mask = mask[::-1, ::-1] if turned else mask
    found = runs.from_mask(mask)
    assert components.fill_holes(found, mask.shape).tolist() == found.tolist()


@given(MASKS, WAYS, st.integers(0, 9), st.integers(1, 4))
def test_equals_scipy(mask, connectivity, smallest, count):
    found, size = runs.from_mask(mask), mask.shape
    expected = objects(mask, connectivity)
    parts = components.split(found, size, connectivity)
    assert [part.tolist() for part in parts] == [part.tolist() for part in expected]
    for part in parts:
        runs.check(part, size)
    best = sorted(expected, key=runs.area, reverse=True)
    assert components.largest(found, size, connectivity).tolist() == runs.union(best[:1]).tolist()
    assert components.largest(found, size, connectivity, count).tolist() == runs.union(best[:count]).tolist()
    large = [part for part in expected if runs.area(part) >= smallest]
    assert components.remove_small(found, size, smallest, connectivity).tolist() == runs.union(large).tolist()


@given(MASKS, st.integers(0, 6))
def test_holes_equal_scipy(mask, largest):
    found, size = runs.from_mask(mask), mask.shape
    full = ndimage.binary_fill_holes(mask)
    assert components.fill_holes(found, size).tolist() == runs.from_mask(full).tolist()
    holes = [hole for hole in objects(full & ~mask, 4) if runs.area(hole) <= largest]
    filled = components.fill_holes(found, size, largest)
    assert filled.tolist() == runs.union([found, *holes]).tolist()
    runs.check(filled, size)


def test_what_is_given_stays_as_it_was():
    mask = np.random.default_rng(2).random((9, 13)) > 0.4
    found = runs.from_mask(mask)
    found.flags.writeable = False
    before = found.copy()
    components.split(found, mask.shape)
    components.largest(found, mask.shape)
    components.remove_small(found, mask.shape, 3)
    components.fill_holes(found, mask.shape)
    assert np.array_equal(found, before)


def test_without_numba_objects_are_painted(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "phalanx.mask._objects")
    monkeypatch.delitem(sys.modules, "phalanx.mask._compile")
    monkeypatch.delattr("phalanx.mask._objects")
    components._engine.cache_clear()
    assert components._engine() is _painted
    components._engine.cache_clear()
