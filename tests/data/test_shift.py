"""How far two sets of wrists differ, and what each case counts then."""

import numpy as np
import pytest

from phalanx.data import shift
from phalanx.mask.wrist import Wrist


def wrists(*bends, hand=0.0, forearm=0.0):
    return [Wrist(float(bend), hand, forearm) for bend in bends]


def test_shares_of_bent_wrists():
    found = shift.between(wrists(0, 5, -31, 29.9), wrists(30, 45, 50, 2))
    assert (found.train, found.test, found.bent) == (4, 4, (0.25, 0.75))
    assert np.isnan(shift.bent_share([]))


def test_rotation_by_hand():
    train = [Wrist(0, tilt, 0) for tilt in (-6, -4, -2, 2, 4, 6)]  # the median tilt is 4 degrees
    for test_tilt, rotation in ((3, 0), (4, 0), (8, 5), (9, 5), (9.5, 10), (30, 30)):
        assert shift.between(train, [Wrist(0, test_tilt, 0)] * 5).rotation == rotation
    # The forearm may need more than the hand; the way of the tilt does not matter.
    assert shift.between(train, [Wrist(0, -9, -12.0)] * 5).rotation == 15


def test_weights_by_hand():
    # Ten straight and five bent; to predict are as many of each.
    known = wrists(*[5] * 10, *[50] * 5)
    found = shift.weights(known, wrists(5, 5, 50, 50))
    assert found == pytest.approx([0.75] * 10 + [1.5] * 5)
    assert found.mean() == pytest.approx(1)
    assert shift.effective(found) == pytest.approx(15**2 / (10 * 0.75**2 + 5 * 1.5**2))
    # A weighted mean is that of the cases to predict.
    assert np.average([0.9] * 10 + [0.8] * 5, weights=found) == pytest.approx(0.85)


def test_the_same_mixture_changes_nothing():
    bends = [*range(-20, 25, 2), *range(40, 60, 3)]
    assert shift.weights(wrists(*bends), wrists(*bends, *bends)) == pytest.approx(1)
    assert shift.effective(np.ones(30)) == pytest.approx(30)


def test_a_bin_of_few_cases_joins_its_neighbour():
    # Four wrists at 50 degrees are too few: they count with those at 35.
    known = wrists(*[5] * 10, *[35] * 6, *[50] * 4)
    found = shift.weights(known, wrists(5, 50))
    assert found == pytest.approx([1.0] * 10 + [1.0] * 10)
    # What nobody has learnt from weighs nothing twice: the bent ones to predict fall to those that are known.
    found = shift.weights(wrists(*[5] * 8), wrists(5, 50, -60))
    assert found == pytest.approx(1)
    assert shift.weights(wrists(*[50] * 8), wrists(5, -60)) == pytest.approx(1)
    assert shift.weights(wrists(5, 50), wrists(50)) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(20))
def test_weights_are_sound(seed):
    rng = np.random.default_rng(seed)
    known, wanted = (wrists(*rng.normal(rng.uniform(-20, 30), 25, rng.integers(1, 60))) for _ in range(2))
    found = shift.weights(known, wanted)
    assert found.shape == (len(known),)
    assert (found >= 0).all()
    assert found.mean() == pytest.approx(1)
    assert 1 <= shift.effective(found) <= len(known) + 1e-9
