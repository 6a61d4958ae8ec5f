import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from phalanx.mask import components, runs

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=11))


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


def test_of_equals_the_first_is_the_largest():
    mask = np.zeros((4, 9), bool)
    mask[2:, 6:] = True
    mask[1:3, 1:4] = True
    assert components.largest(runs.from_mask(mask), mask.shape).tolist() == [[10, 13], [19, 22]]


def test_nothing_and_everything():
    assert components.split(runs.empty(), (4, 5)) == []
    assert components.largest(runs.empty(), (4, 5)).shape == (0, 2)
    assert [part.tolist() for part in components.split(np.array([[0, 20]]), (4, 5))] == [[[0, 20]]]
    with pytest.raises(ValueError, match="4 or 8"):
        components.split(runs.empty(), (4, 5), 6)  # type: ignore[arg-type]


@given(MASKS, st.sampled_from([4, 8]))
def test_equals_scipy(mask, connectivity):
    structure = np.ones((3, 3)) if connectivity == 8 else None
    labels, count = ndimage.label(mask, structure)
    expected = [runs.from_mask(labels == label) for label in range(1, count + 1)]
    expected.sort(key=lambda part: part[0, 0])
    parts = components.split(runs.from_mask(mask), mask.shape, connectivity)
    assert [part.tolist() for part in parts] == [part.tolist() for part in expected]
    for part in parts:
        runs.check(part, mask.shape)
    if count:
        best = max(expected, key=runs.area)
        assert components.largest(runs.from_mask(mask), mask.shape, connectivity).tolist() == best.tolist()
