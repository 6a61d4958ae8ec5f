import cv2
import numpy as np
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from phalanx.mask import contour, runs


def drawn(outlines, size):
    frame = np.zeros(size, np.uint8)
    for points in outlines:
        cv2.polylines(frame, [points.astype(np.int32)], True, 1)
    return frame.astype(bool)


def test_a_ring_has_an_outer_and_an_inner_outline():
    mask = np.zeros((9, 12), bool)
    mask[2:8, 3:11] = True
    mask[4:6, 5:9] = False
    found = sorted(contour.outlines(runs.from_mask(mask), mask.shape), key=lambda points: points.min())
    assert sorted(map(tuple, found[0].tolist())) == [(3, 2), (3, 7), (10, 2), (10, 7)]
    # Around the hole, on the ring's own pixels; 8-connected, so the corners are cut.
    assert found[1].min(0).tolist() == [4, 3]
    assert found[1].max(0).tolist() == [9, 6]


def test_nothing_and_one_pixel_in_the_corner():
    assert contour.outlines(runs.empty(), (4, 5)) == []
    (points,) = contour.outlines(np.array([[19, 20]]), (4, 5))
    assert points.tolist() == [[4, 3]]


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=11)))
def test_outlines_pass_through_the_border_pixels_and_no_others(mask):
    lines = drawn(contour.outlines(runs.from_mask(mask), mask.shape), mask.shape)
    border = mask & ~ndimage.binary_erosion(mask, border_value=0)
    assert np.array_equal(lines, border)
