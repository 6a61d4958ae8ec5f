import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from phalanx.mask import runs

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)
MASKS = arrays(np.bool_, SHAPES)
PAIRS = SHAPES.flatmap(lambda shape: st.tuples(arrays(np.bool_, shape), arrays(np.bool_, shape)))


def by_pixel(mask: np.ndarray) -> list[list[int]]:
    """The definition, a pixel at a time."""
    found: list[list[int]] = []
    for index, value in enumerate(mask.ravel().tolist()):
        if value and found and found[-1][1] == index:
            found[-1][1] += 1
        elif value:
            found.append([index, index + 1])
    return found


def test_by_hand():
    mask = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1], [0, 1, 1]], bool)
    expected = [[1, 4], [8, 9], [10, 12]]
    assert runs.from_mask(mask).tolist() == expected
    assert runs.area(np.array(expected)) == 6
    assert runs.box(np.array(expected), (4, 3)) == (0, 0, 4, 3)
    assert runs.split_rows(np.array(expected), (4, 3)).tolist() == [[1, 3], [3, 4], [8, 9], [10, 12]]
    # x * 4 + y: columns are 0100, 1001, 1011.
    assert runs.transpose(np.array(expected), (4, 3)).tolist() == [[1, 2], [4, 5], [7, 9], [10, 12]]


@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (1, 1), (5, 8)])
def test_full_empty_first_and_last_pixel(shape):
    height, width = shape
    count = height * width
    assert runs.from_mask(np.ones(shape, bool)).tolist() == [[0, count]]
    assert runs.from_mask(np.zeros(shape, bool)).shape == (0, 2)
    for index in (0, count - 1):
        mask = np.zeros(shape, bool)
        mask.flat[index] = True
        assert runs.from_mask(mask).tolist() == [[index, index + 1]]
    assert runs.box(runs.empty(), shape) == (0, 0, 0, 0)
    assert not runs.to_mask(runs.empty(), shape).any()
    assert runs.transpose(runs.empty(), shape).shape == (0, 2)


@given(MASKS)
def test_round_trip_and_definition(mask):
    found = runs.from_mask(mask)
    runs.check(found, mask.shape)
    assert found.dtype == np.int64
    assert found.tolist() == by_pixel(mask)
    assert np.array_equal(runs.to_mask(found, mask.shape), mask)
    assert runs.area(found) == mask.sum()
    assert np.array_equal(runs.from_mask(mask.astype(np.uint8) * 255), found)
    assert np.array_equal(runs.from_mask(np.asfortranarray(mask)), found)


@given(MASKS)
def test_box_crop_and_rows(mask):
    found = runs.from_mask(mask)
    crop, (top, left) = runs.to_box(found, mask.shape)
    ys, xs = np.nonzero(mask)
    expected = (ys.min(), xs.min(), ys.max() + 1, xs.max() + 1) if len(ys) else (0, 0, 0, 0)
    assert runs.box(found, mask.shape) == expected
    assert np.array_equal(crop, mask[expected[0] : expected[2], expected[1] : expected[3]])
    assert runs.from_box(crop, (top, left), mask.shape).tolist() == found.tolist()
    rows = runs.split_rows(found, mask.shape)
    width = mask.shape[1]
    assert (rows[:, 0] // width == (rows[:, 1] - 1) // width).all()
    assert np.array_equal(runs.to_mask(rows, mask.shape), mask)


@given(MASKS)
def test_transpose(mask):
    found = runs.from_mask(mask)
    turned = runs.transpose(found, mask.shape)
    assert turned.tolist() == by_pixel(mask.T)
    assert np.array_equal(runs.transpose(turned, mask.T.shape), found)


@given(PAIRS)
def test_overlap_intersection_and_union(pair):
    a, b = pair
    first, second = runs.from_mask(a), runs.from_mask(b)
    assert runs.overlap(first, second) == (a & b).sum() == runs.overlap(second, first)
    assert runs.intersect(first, second).tolist() == by_pixel(a & b)
    assert runs.subtract(first, second).tolist() == by_pixel(a & ~b)
    assert runs.union([first, second]).tolist() == by_pixel(a | b)


def test_union_of_none_and_of_loose_intervals():
    assert runs.union([]).shape == (0, 2)
    assert runs.union([runs.empty(), runs.empty()]).dtype == np.int64
    loose = np.array([[7, 9], [0, 2], [2, 4], [1, 3], [8, 8 + 3], [20, 21]])
    assert runs.union([loose]).tolist() == [[0, 4], [7, 11], [20, 21]]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.array([[0, 1]], np.int32), "int64"),
        (np.array([0, 1], np.int64), "int64"),
        ([[0, 1]], "list"),
        (np.array([[3, 3]], np.int64), "sorted"),
        (np.array([[0, 2], [2, 3]], np.int64), "apart"),
        (np.array([[4, 6], [0, 2]], np.int64), "sorted"),
        (np.array([[0, 4], [3, 6]], np.int64), "disjoint"),
        (np.array([[-1, 2]], np.int64), "leave the image"),
        (np.array([[10, 13]], np.int64), "leave the image"),
    ],
)
def test_check_names_the_fault(bad, words):
    with pytest.raises(ValueError, match=words):
        runs.check(bad, (3, 4))


def test_check_lets_good_runs_pass():
    for good in (runs.empty(), np.array([[0, 2], [3, 12]], np.int64)):
        assert runs.check(good, (3, 4)) is None


def test_a_stack_is_no_mask():
    with pytest.raises(ValueError, match="two axes"):
        runs.from_mask(np.zeros((2, 3, 4), bool))
