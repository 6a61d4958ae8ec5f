import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_mask

from phalanx.core.errors import DataError
from phalanx.mask import coco, runs


def counts_of(mask: np.ndarray) -> list[int]:
    """Lengths of zeros, ones, zeros ... down the columns, a pixel at a time."""
    counts, now = [0], 0
    for value in mask.T.ravel().astype(int).tolist():
        if value != now:
            counts.append(0)
            now = value
        counts[-1] += 1
    return counts


def test_by_hand():
    # Columns of a 2 x 3 image: 01, 11, 00.
    assert coco.from_counts([1, 3, 2], (2, 3)).tolist() == [[1, 2], [3, 5]]
    assert coco.from_counts([0, 6], (2, 3)).tolist() == [[0, 6]]
    assert coco.from_counts([6], (2, 3)).shape == (0, 2)
    # Two runs parted by no zeros are one.
    assert coco.from_counts([0, 1, 0, 2, 3], (6, 1)).tolist() == [[0, 3]]


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)))
def test_listed_and_compressed(mask):
    expected = runs.from_mask(mask)
    assert np.array_equal(coco.from_counts(counts_of(mask), mask.shape), expected)
    packed = coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"]
    assert np.array_equal(coco.from_counts(packed, mask.shape), expected)
    assert np.array_equal(coco.from_counts(packed.decode(), mask.shape), expected)


def test_compressed_large_counts_and_negative_differences():
    mask = np.zeros((1500, 1700), bool)
    mask[3:1400, 20:1600] = True
    mask[700:702] = False
    mask[:, 1650:] = np.random.default_rng(0).random((1500, 50)) > 0.5
    packed = coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"]
    assert np.array_equal(coco.from_counts(packed, mask.shape), runs.from_mask(mask))


def test_written_by_hand():
    # Columns of a 2 x 3 image: 01, 11, 00.
    assert coco.to_counts(np.array([[1, 2], [3, 5]]), (2, 3)).tolist() == [1, 3, 2]
    # 00, 10, 10.
    assert coco.to_counts(np.array([[1, 3]]), (2, 3)).tolist() == [2, 1, 1, 1, 1]
    assert coco.to_counts(np.array([[0, 6]]), (2, 3)).tolist() == [0, 6]
    assert coco.to_counts(runs.empty(), (2, 3)).tolist() == [6]
    # 6 is 48 + 6; 100 is 4 and, behind it, 3; 5 after 7 zeros ago is -2.
    assert coco.compressed(np.array([6])) == "6"
    assert coco.compressed(np.array([100])) == "T3"
    assert coco.compressed(np.array([0, 7, 1, 5])) == "071N"


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)))
def test_written_as_pycocotools_does(mask):
    counts = coco.to_counts(runs.from_mask(mask), mask.shape)
    assert counts.tolist() == counts_of(mask)
    assert coco.compressed(counts).encode() == coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"]


def test_large_counts_are_written_as_pycocotools_does():
    mask = np.zeros((1500, 1700), bool)
    mask[3:1400, 20:1600] = True
    mask[700:702] = False
    mask[:, 1650:] = np.random.default_rng(0).random((1500, 50)) > 0.5
    text = coco.compressed(coco.to_counts(runs.from_mask(mask), mask.shape))
    assert text.encode() == coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"]


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([1, 3], "add up"),
        ([1, 3, 3], "add up"),
        ([], "add up"),
        ([-1, 7], "add up"),
        ([2**62, 2**62, 2**62, 2**62, 6], "add up"),
        ([1.0, 5.0], "whole numbers"),
        ("", "damaged"),
        ("\x00", "damaged"),
        ("é", "damaged"),
        ("1o", "damaged"),
        ("o" * 12 + "1", "too large"),
    ],
)
def test_damaged(counts, words):
    with pytest.raises(DataError, match=words):
        coco.from_counts(counts, (2, 3))


@given(st.binary(max_size=20))
def test_any_bytes_give_runs_or_one_clear_error(counts):
    try:
        found = coco.from_counts(counts, (3, 5))
    except DataError as error:
        assert error.fix
        return
    runs.check(found, (3, 5))
