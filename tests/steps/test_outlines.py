"""smooth and clip: steps that change the outline."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pydantic import ValidationError
from scipy import ndimage

from phalanx.mask import runs
from phalanx.steps.clip import Clip
from phalanx.steps.smooth import Smooth

MASKS = st.one_of(
    arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=13)),
    arrays(np.bool_, st.tuples(st.just(1), st.integers(1, 23))),
    arrays(np.bool_, st.tuples(st.integers(1, 23), st.just(1))),
)
# Blots of a few rectangles: random pixels leave little for a large brush.
BLOTS = st.lists(st.tuples(*[st.integers(0, 24)] * 4), min_size=1, max_size=5)


def smooth(mask, **values):
    return runs.to_mask(Smooth(Smooth.Config(**values))(runs.from_mask(mask), mask.shape), mask.shape)


def brush(shape, radius):
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.hypot(y, x) <= radius if shape == "ellipse" else np.ones(y.shape, bool)


def test_an_opening_by_hand():
    mask = np.zeros((6, 9), bool)
    mask[1:4, 1:4] = True
    mask[3, 4:8] = True
    square = np.zeros_like(mask)
    square[1:4, 1:4] = True
    assert np.array_equal(smooth(mask, shape="rectangle"), square)
    # The smallest disc is a cross: the square loses its corners, the spur goes.
    cross = square.copy()
    cross[[1, 1, 3, 3], [1, 3, 1, 3]] = False
    assert np.array_equal(smooth(mask), cross)
    assert not smooth(mask, radius=2).any()


def test_an_opening_keeps_an_object_as_large_as_the_brush():
    # A cross of five pixels is the brush itself; five in a row are as many and do not hold it. They touch at
    # a corner.
    mask = np.zeros((6, 9), bool)
    mask[1, 2] = mask[2, 1:4] = mask[3, 2] = True
    cross = mask.copy()
    mask[4, 3:8] = True
    assert np.array_equal(smooth(mask), cross)
    assert np.array_equal(smooth(mask, operation="opening", radius=2), np.zeros_like(mask))


def test_a_closing_by_hand():
    mask = np.zeros((6, 9), bool)
    mask[1:4, 1:4] = mask[1:4, 5:8] = True
    bridged = mask.copy()
    bridged[1:4, 4] = True
    assert np.array_equal(smooth(mask, operation="closing", shape="rectangle"), bridged)
    # A cross reaches the pixels of the gap, but their background neighbours above and below only at the ends.
    bridged[[1, 3], 4] = False
    assert np.array_equal(smooth(mask, operation="closing"), bridged)


def test_at_the_border_an_opening_sees_background_and_a_closing_loses_nothing():
    mask = np.zeros((5, 7), bool)
    mask[0, :] = mask[1:, 3:5] = True
    # A square of three needs three rows: the stem of two columns and the beam of one row are too thin, border or not.
    assert not smooth(mask, shape="rectangle").any()
    corner = np.zeros((5, 7), bool)
    corner[2:, 4:] = True
    for operation in ("opening", "closing"):
        assert np.array_equal(smooth(corner, operation=operation, shape="rectangle"), corner)
    # The corner of the image is a corner of the mask, and a disc does not reach into it.
    opened = corner.copy()
    opened[[2, 2, 4, 4], [4, 6, 4, 6]] = False
    assert np.array_equal(smooth(corner), opened)
    # One pixel off the border: the gap stays open.
    near = np.zeros((5, 7), bool)
    near[1:4, 1:4] = True
    assert np.array_equal(smooth(near, operation="closing", radius=3), near)


@pytest.mark.parametrize("wrong", [{"radius": 0}, {"radius": 65}, {"shape": "star"}, {"operation": "erosion"}])
def test_settings_out_of_range(wrong):
    with pytest.raises(ValidationError):
        Smooth.Config(**wrong)


def check_against_scipy(mask, radius, shape):
    element = brush(shape, radius)
    opened = smooth(mask, operation="opening", radius=radius, shape=shape)
    assert np.array_equal(opened, ndimage.binary_opening(mask, element))
    wide = ndimage.binary_closing(np.pad(mask, 2 * radius), element)
    closed = smooth(mask, operation="closing", radius=radius, shape=shape)
    assert np.array_equal(closed, wide[2 * radius : -2 * radius, 2 * radius : -2 * radius])
    assert not (opened & ~mask).any()
    assert not (mask & ~closed).any()


@given(MASKS, st.integers(1, 4), st.sampled_from(["ellipse", "rectangle"]))
def test_equals_scipy_on_the_whole_frame(mask, radius, shape):
    check_against_scipy(mask, radius, shape)


@given(BLOTS, st.integers(1, 7), st.sampled_from(["ellipse", "rectangle"]))
def test_blots_equal_scipy_on_the_whole_frame(blots, radius, shape):
    mask = np.zeros((21, 24), bool)
    for top, left, height, width in blots:
        mask[top : top + height, left : left + width] = True
    check_against_scipy(mask, radius, shape)


def clip(found, size, margin=0):
    return Clip(Clip.Config(margin=margin))(np.array(found, np.int64).reshape(-1, 2), size)


def test_clipping_by_hand():
    # A frame of 3 x 4: pixels 0 to 11.
    assert clip([[-5, -2], [-1, 2], [4, 6], [10, 14], [15, 20]], (3, 4)).tolist() == [[0, 2], [4, 6], [10, 12]]
    assert clip([[-3, 0], [12, 13]], (3, 4)).tolist() == []
    assert clip([[-2, 30]], (3, 4)).tolist() == [[0, 12]]
    assert clip([[-2, 30]], (3, 4), margin=1).tolist() == [[5, 7]]
    for margin in (2, 3, 9):
        assert clip([[-2, 30]], (3, 4), margin=margin).tolist() == []
    assert clip([[0, 30]], (6, 5), margin=2).tolist() == [[12, 13], [17, 18]]
    with pytest.raises(ValidationError):
        Clip.Config(margin=-1)


@given(MASKS, st.integers(0, 6), st.data())
def test_clipping_equals_slicing(mask, margin, data):
    # The frame is the upper part of what the file holds, and begins some pixels late.
    found = runs.from_mask(mask)
    height = data.draw(st.integers(1, mask.shape[0]))
    early = data.draw(st.integers(0, 4))
    size = (height, mask.shape[1])
    shifted = np.zeros(mask.size + early, bool)
    shifted[: mask.size] = mask.ravel()
    frame = shifted[early : early + height * mask.shape[1]].reshape(size)
    keep = np.zeros(size, bool)
    keep[margin : max(height - margin, 0), margin : max(size[1] - margin, 0)] = True
    clipped = clip(found - early, size, margin)
    runs.check(clipped, size)
    assert clipped.tolist() == runs.from_mask(frame & keep).tolist()
