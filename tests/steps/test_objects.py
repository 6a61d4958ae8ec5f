from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pydantic import ValidationError
from scipy import ndimage

from phalanx.mask import runs
from phalanx.steps.fill_holes import FillHoles
from phalanx.steps.keep_largest import KeepLargest
from phalanx.steps.remove_small import RemoveSmall

MASKS = st.one_of(
    arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=11)),
    arrays(np.bool_, st.tuples(st.just(1), st.integers(1, 23))),
    arrays(np.bool_, st.tuples(st.integers(1, 23), st.just(1))),
)
PICTURE = np.array(
    [
        [0, 0, 0, 0, 1, 1],
        [1, 0, 0, 0, 0, 0],
        [0, 1, 0, 1, 1, 1],
        [0, 0, 0, 1, 0, 1],
        [0, 0, 0, 1, 1, 1],
    ],
    bool,
)


def done(entry, mask, **values):
    """The mask after a step, as the indices of its pixels."""
    found = entry(entry.Config(**values))(runs.from_mask(mask), mask.shape)
    return np.flatnonzero(runs.to_mask(found, mask.shape)).tolist()


RING, PAIR, SLOPE = [15, 16, 17, 21, 23, 27, 28, 29], [4, 5], [6, 13]


def test_the_largest_by_hand():
    assert done(KeepLargest, PICTURE) == RING
    # Pixels 5 and 6 touch as indices and not as pixels; of the two objects of two pixels the first is kept.
    assert done(KeepLargest, PICTURE, count=2) == sorted(PAIR + RING)
    assert done(KeepLargest, PICTURE, count=3) == sorted(PAIR + SLOPE + RING)
    assert done(KeepLargest, PICTURE, count=3, connectivity=4) == sorted([*PAIR, 6, *RING])
    with pytest.raises(ValidationError):
        KeepLargest.Config(count=0)
    with pytest.raises(ValidationError):
        KeepLargest.Config(connectivity=6)


def test_the_small_by_hand():
    assert done(RemoveSmall, PICTURE, smallest=2) == sorted(PAIR + SLOPE + RING)
    assert done(RemoveSmall, PICTURE, smallest=2, connectivity=4) == sorted(PAIR + RING)
    assert done(RemoveSmall, PICTURE, smallest=8) == RING
    assert done(RemoveSmall, PICTURE, smallest=9) == []
    assert done(RemoveSmall, PICTURE, smallest=9, keep_one=True) == RING
    assert done(RemoveSmall, PICTURE[:2], smallest=9, keep_one=True) == PAIR
    # Three pixels that meet at corners, and two side by side.
    slope = np.array([[1, 0, 0, 0, 0], [0, 1, 0, 1, 1], [1, 0, 0, 0, 0]], bool)
    assert done(RemoveSmall, slope, smallest=9, keep_one=True) == [0, 6, 10]
    assert done(RemoveSmall, slope, smallest=9, keep_one=True, connectivity=4) == [8, 9]
    for wrong in ({"smallest": 0}, {}):
        with pytest.raises(ValidationError):
            RemoveSmall.Config(**wrong)


def test_holes_by_hand():
    # The ring touches the border, its hole does not.
    filled = sorted(PAIR + SLOPE + RING + [22])
    assert done(FillHoles, PICTURE) == done(FillHoles, PICTURE, largest=1) == filled
    # The hole is cut open by the border: a bay.
    assert done(FillHoles, PICTURE[:4]) == np.flatnonzero(PICTURE[:4]).tolist()
    ring = np.pad(np.zeros((2, 3), bool), 1, constant_values=True)
    assert done(FillHoles, ring, largest=5) == np.flatnonzero(ring).tolist()
    assert done(FillHoles, ring, largest=6) == list(range(20))
    with pytest.raises(ValidationError):
        FillHoles.Config(largest=0)


def objects(mask, connectivity):
    """The objects as SciPy sees them, the largest first, of equal ones the first."""
    labels, count = ndimage.label(mask, np.ones((3, 3)) if connectivity == 8 else None)
    found = [np.flatnonzero(labels == label).tolist() for label in range(1, count + 1)]
    return sorted(found, key=lambda pixels: (-len(pixels), pixels[0]))


def flat(groups):
    return sorted(chain.from_iterable(groups))


@given(MASKS, st.sampled_from([4, 8]), st.integers(1, 9), st.integers(1, 4))
def test_objects_equal_scipy(mask, connectivity, smallest, count):
    found = objects(mask, connectivity)
    expected = flat(found[:count])
    assert done(KeepLargest, mask, count=count, connectivity=connectivity) == expected
    large = flat(pixels for pixels in found if len(pixels) >= smallest)
    assert done(RemoveSmall, mask, smallest=smallest, connectivity=connectivity) == large
    kept = done(RemoveSmall, mask, smallest=smallest, connectivity=connectivity, keep_one=True)
    assert kept == (large or flat(found[:1]))


@given(MASKS, st.integers(1, 6))
def test_holes_equal_scipy(mask, largest):
    full = ndimage.binary_fill_holes(mask)
    assert done(FillHoles, mask) == np.flatnonzero(full).tolist()
    small = [hole for hole in objects(full & ~mask, 4) if len(hole) <= largest]
    assert done(FillHoles, mask, largest=largest) == flat([*small, np.flatnonzero(mask).tolist()])
