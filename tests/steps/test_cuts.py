import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pydantic import ValidationError
from scipy import ndimage

from phalanx.mask import runs
from phalanx.steps.threshold import Threshold
from phalanx.steps.two_level import TwoLevel

SOFT = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9).flatmap(
    lambda shape: arrays(np.float32, shape, elements=st.sampled_from([0.1, 0.1, 0.1, 0.4, 0.9]))
)
PICTURE = np.array(
    [
        [0.9, 0.9, 0.1, 0.1, 0.4, 0.4],
        [0.4, 0.1, 0.1, 0.1, 0.1, 0.9],
        [0.1, 0.1, 0.4, 0.4, 0.1, 0.1],
        [0.1, 0.1, 0.4, 0.4, 0.1, 0.1],
    ]
)


def cut(step, soft):
    return step([runs.from_mask(soft > level) for level in step.levels], soft.shape)


def two_level(**values):
    return TwoLevel(TwoLevel.Config(**{"strict": 0.8, "loose": 0.3, **values}))


def test_a_threshold_is_one_level():
    step = Threshold(Threshold.Config())
    assert step.levels == (0.5,)
    assert cut(step, PICTURE).tolist() == [[0, 2], [11, 12]]
    step = Threshold(Threshold.Config(at=0.3))
    assert cut(step, PICTURE).tolist() == [[0, 2], [4, 7], [11, 12], [14, 16], [20, 22]]


@pytest.mark.parametrize("at", [0, 1, -0.5, "high"])
def test_a_threshold_is_a_probability(at):
    with pytest.raises(ValidationError):
        Threshold.Config(at=at)


def test_a_whole_mask_needs_enough_strict_pixels():
    assert two_level(area=3).levels == (0.3, 0.8)
    loose = [[0, 2], [4, 7], [11, 12], [14, 16], [20, 22]]
    assert cut(two_level(area=3), PICTURE).tolist() == loose
    assert cut(two_level(area=4), PICTURE).tolist() == []


def test_each_object_needs_enough_strict_pixels():
    # Pixels 4, 5 and 6, 11: the run 4 to 7 wraps, 4, 5 belong with 11, 6 with 0, 1. The square holds no strict pixel.
    assert cut(two_level(area=1, scope="object"), PICTURE).tolist() == [[0, 2], [4, 7], [11, 12]]
    assert cut(two_level(area=2, scope="object"), PICTURE).tolist() == [[0, 2], [6, 7]]
    assert cut(two_level(area=3, scope="object"), PICTURE).tolist() == []


def test_objects_side_by_side_keep_their_own_pixels():
    soft = np.array([[0.9, 0.1, 0.4], [0.4, 0.1, 0.9], [0.4, 0.1, 0.9]])
    assert cut(two_level(area=2, scope="object"), soft).tolist() == [[2, 3], [5, 6], [8, 9]]
    assert cut(two_level(area=2, scope="object"), soft[:, ::-1]).tolist() == [[0, 1], [3, 4], [6, 7]]


def test_corners_hold_objects_together_if_so_told():
    soft = np.array([[0.4, 0.1, 0.1], [0.1, 0.9, 0.4]])
    assert cut(two_level(area=1, scope="object"), soft).tolist() == [[0, 1], [4, 6]]
    assert cut(two_level(area=1, scope="object", connectivity=4), soft).tolist() == [[4, 6]]


def test_loose_is_not_above_strict():
    assert TwoLevel.Config(strict=0.5, loose=0.5, area=1).loose == 0.5
    with pytest.raises(ValidationError, match="loose is above strict: 0.6 > 0.5"):
        TwoLevel.Config(strict=0.5, loose=0.6, area=1)
    for wrong in ({"area": 0}, {"area": 1, "strict": 1.0}, {"area": 1, "scope": "picture"}, {}):
        with pytest.raises(ValidationError):
            TwoLevel.Config(**wrong)


@given(SOFT, st.integers(1, 6), st.sampled_from([4, 8]))
def test_equals_the_cut_of_the_whole_picture(soft, area, connectivity):
    strict, loose = soft > 0.8, soft > 0.3
    whole = loose if strict.sum() >= area else np.zeros_like(loose)
    assert cut(two_level(area=area), soft).tolist() == runs.from_mask(whole).tolist()
    labels, count = ndimage.label(loose, np.ones((3, 3)) if connectivity == 8 else None)
    kept = [label for label in range(1, count + 1) if (strict & (labels == label)).sum() >= area]
    step = two_level(area=area, scope="object", connectivity=connectivity)
    assert cut(step, soft).tolist() == runs.from_mask(np.isin(labels, kept)).tolist()


@given(SOFT, SOFT, st.integers(1, 3))
def test_masks_that_are_not_nested_do_no_harm(soft, other, area):
    size = min(soft.shape, other.shape)
    loose, strict = np.zeros(size, bool), np.zeros(size, bool)
    height, width = (min(sizes) for sizes in zip(soft.shape, other.shape, strict=True))
    loose[:height, :width] = soft[:height, :width] > 0.5
    strict[:height, :width] = other[:height, :width] > 0.5
    step = two_level(area=area, scope="object")
    found = step([runs.from_mask(loose), runs.from_mask(strict)], size)
    labels, count = ndimage.label(loose, np.ones((3, 3)))
    kept = [label for label in range(1, count + 1) if (strict & (labels == label)).sum() >= area]
    assert found.tolist() == runs.from_mask(np.isin(labels, kept)).tolist()
