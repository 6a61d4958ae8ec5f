"""Counts above many bars: the compiled loop, the NumPy path and brute force agree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx.ensemble import _tally

WAYS = ["compiled", "plain"]


def tallied(way, *arguments):
    engine = _tally._plain if way == "plain" else _tally._engine.__wrapped__()
    assert way == "plain" or engine is not _tally._plain
    values, truth, heads, weights, bars = arguments
    bins = np.zeros((len(heads) - 1, len(bars) + 1, 2), np.int64)
    engine(values, truth, heads, weights.astype(np.int32), bars.astype(np.int32), bins)
    return bins[:, :0:-1].cumsum(1)[:, ::-1]


def brute(values, truth, heads, weights, bars):
    total = values.astype(np.int64) @ weights
    found = np.zeros((len(heads) - 1, len(bars), 2), np.int64)
    for case in range(len(heads) - 1):
        part = slice(heads[case], heads[case + 1])
        for place, bar in enumerate(bars):
            found[case, place] = (total[part] > bar).sum(), ((total[part] > bar) & (truth[part] == 1)).sum()
    return found


@pytest.mark.parametrize("way", WAYS)
@given(data=st.data())
@settings(deadline=None)
def test_equals_brute_force(way, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    count, members = data.draw(st.integers(0, 40)), data.draw(st.integers(1, 4))
    largest = data.draw(st.sampled_from([3, 300, 32767]))
    values = rng.integers(-largest, largest + 1, (count, members)).astype(np.int16)
    weights = rng.integers(0, data.draw(st.sampled_from([2, 9, 16000])), members)
    weights[rng.integers(members)] += 1
    heads = np.concatenate([[0], np.sort(rng.integers(0, count + 1, 2)), [count]])
    sums = values.astype(np.int64) @ weights
    # Some bars lie exactly on sums.
    bars = np.unique(np.concatenate([rng.integers(-largest, largest + 1, 5) * weights.sum(), sums[:3]]))
    truth = rng.integers(0, 2, count).astype(np.uint8)
    assert np.array_equal(tallied(way, values, truth, heads, weights, bars), brute(values, truth, heads, weights, bars))


@pytest.mark.parametrize("way", WAYS)
def test_by_hand(way):
    values = np.array([[1, 5], [2, -2], [0, 1], [9, 9]], np.int16)
    truth, heads = np.array([1, 0, 1, 1], np.uint8), np.array([0, 3, 4])
    # Sums with weights 2 and 1: 7, 2, 1 | 27.
    found = tallied(way, values, truth, heads, np.array([2, 1]), np.array([1, 2, 7, 30]))
    assert found.tolist() == [[[2, 1], [1, 1], [0, 0], [0, 0]], [[1, 1], [1, 1], [1, 1], [0, 0]]]


def test_the_public_way_is_the_same():
    rng = np.random.default_rng(1)
    values, truth = rng.integers(-9000, 9000, (5000, 3)).astype(np.int16), rng.integers(0, 2, 5000).astype(np.uint8)
    heads, weights, bars = np.array([0, 2000, 5000]), np.array([3, 0, 1]), np.arange(-20000, 20000, 400)
    assert np.array_equal(_tally.tally(values, truth, heads, weights, bars), brute(values, truth, heads, weights, bars))
