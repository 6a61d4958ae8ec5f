"""Moments of masks, against the pixels themselves."""

import numpy as np
import pytest

from phalanx.mask import moments, runs

SIZE = (23, 31)


def test_against_the_pixels():
    rng = np.random.default_rng(3)
    mask = rng.random(SIZE) < 0.3
    mask[4:9, 28:] = mask[5:10, :3] = True  # runs that go on in the next row
    found = moments.of(runs.from_mask(mask), SIZE)
    y, x = np.nonzero(mask)
    assert found is not None
    assert found.area == mask.sum()
    assert found.centre == pytest.approx([x.mean(), y.mean()])
    assert found.covariance == pytest.approx(np.cov(x, y, bias=True))


def test_axis_of_a_slanting_bar():
    mask = np.zeros(SIZE, bool)
    for step in range(18):
        mask[2 + step, 4 + step // 2 : 7 + step // 2] = True
    found = moments.of(runs.from_mask(mask), SIZE)
    assert found is not None
    axis = found.axis() * np.sign(found.axis()[1])
    assert np.degrees(np.arctan2(axis[0], axis[1])) == pytest.approx(np.degrees(np.arctan(0.5)), abs=1.5)


def test_nothing_and_one_pixel():
    assert moments.of(runs.empty(), SIZE) is None
    found = moments.of(np.array([[31 * 5 + 7, 31 * 5 + 8]]), SIZE)
    assert found is not None
    assert (found.area, found.centre.tolist(), np.abs(found.covariance).max()) == (1, [7.0, 5.0], 0.0)
