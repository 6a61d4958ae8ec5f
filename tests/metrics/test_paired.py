"""Intervals and the paired test: by hand, by enumeration, and by group."""

from itertools import product

import numpy as np
import pytest

from phalanx.metrics import _paired, _summary
from phalanx.metrics._summary import Draws


def enumerated(table: np.ndarray, groups: list[str]) -> float:
    """p of all sign patterns, the mean computed anew from the flipped table each time."""
    names = sorted(set(groups))
    seen = abs(np.nanmean(table, 0).mean())
    hits = 0
    for signs in product((1, -1), repeat=len(names)):
        flipped = table * np.array([[signs[names.index(group)]] for group in groups])
        hits += abs(np.nanmean(flipped, 0).mean()) >= seen - 1e-12
    return hits / 2 ** len(names)


def test_p_by_hand():
    # Sums of 3 +- 2 +- 1 at least as far from 0 as 3 + 2 + 1: that one and its mirror, of 8.
    assert _paired.p_value(np.array([3.0, 2.0, 1.0])) == 2 / 8
    # 3 + 2 - 1 = 4: 6 and 4, and their mirrors.
    assert _paired.p_value(np.array([3.0, 2.0, -1.0])) == 4 / 8
    assert _paired.p_value(np.zeros(5)) == 1.0
    assert _paired.p_value(np.zeros(50)) == 1.0


@pytest.mark.parametrize("holes", [False, True])
def test_p_is_that_of_all_sign_patterns(holes):
    rng = np.random.default_rng(4)
    a, b = rng.random((9, 3)), rng.random((9, 3))
    if holes:
        a[[1, 4], [2, 0]] = b[[1, 4], [2, 0]] = np.nan
    groups = list("ppqqqrstt")
    found = _paired.difference(a, b, list("xyz"), groups)
    assert found["p"] == enumerated(a - b, groups)
    assert found["mean"] == pytest.approx(np.nanmean(a - b, 0).mean())
    assert found["groups"] == 5
    assert found["per_class"]["y"] == pytest.approx((a - b)[:, 1].mean())
    assert sum(_paired.shares(a - b, Draws(groups))) == pytest.approx(found["mean"])


def test_random_patterns_come_near_to_all_of_them():
    parts = np.random.default_rng(0).normal(0.25, 1, _paired.EXHAUSTIVE)
    exact = _paired.p_value(parts)
    assert 0.02 < exact < 0.98
    # Two zeros more make it random and change no sum.
    assert _paired.p_value(np.append(parts, [0.0, 0.0])) == pytest.approx(exact, abs=4 * np.sqrt(0.25 / 9999))


def test_random_patterns_never_give_zero():
    assert _paired.p_value(np.ones(60)) == 1 / 10_000


def test_the_same_table_twice_is_no_difference():
    table = np.random.default_rng(1).random((5, 2))
    found = _paired.difference(table, table, ["x", "y"], list("abcde"))
    assert (found["mean"], found["interval"], found["p"]) == (0.0, [0.0, 0.0], 1.0)


def test_two_images_of_a_person_are_one_observation():
    """Images of a person alike: by group the interval is wider than by image."""
    rng = np.random.default_rng(2)
    table = np.repeat(rng.normal(0.01, 0.05, (30, 4)), 2, axis=0)
    groups = [str(place // 2) for place in range(60)]
    by_group = _paired.difference(table, np.zeros_like(table), list("wxyz"), groups)
    by_image = _paired.difference(table, np.zeros_like(table), list("wxyz"), [str(place) for place in range(60)])
    widths = [np.ptp(found["interval"]) for found in (by_group, by_image)]
    assert widths[0] > 1.25 * widths[1]
    assert by_group["p"] > by_image["p"]


def test_all_classes_share_draws_and_are_those_of_one_class_alone():
    table = np.random.default_rng(5).random((12, 3))
    groups = list("aabbccddeeff")
    found = _summary.scores("dice", table, list("xyz"), groups)
    for place, name in enumerate("xyz"):
        alone = _summary.interval(table[:, [place]], groups)
        assert found["per_class_interval"][name] == pytest.approx(alone, abs=1e-12)
    # The draws, said slowly.
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 6, (2000, 6))
    sums = table.reshape(6, 2, 3).sum(1)
    means = np.array([sums[row].sum(0) / 12 for row in drawn])
    np.testing.assert_allclose(Draws(groups).means(table), means, rtol=1e-12)


def test_a_block_of_draws_at_a_time_gives_the_same(monkeypatch):
    table = np.random.default_rng(6).random((8, 2))
    whole = Draws(list("abcdefgh")).means(table)
    monkeypatch.setattr(_summary, "_HELD", 8 * 300)
    parted = Draws(list("abcdefgh"))
    np.testing.assert_allclose(parted.means(table), whole)
    np.testing.assert_allclose(parted.means(table), whole)
    monkeypatch.setattr(_summary, "_HELD", 8 * 2000)
    monkeypatch.setattr(_summary, "_PART", 8 * 7)
    np.testing.assert_array_equal(Draws(list("abcdefgh")).means(table), whole)


def test_cases_without_a_score_count_for_nothing():
    table = np.array([[1.0, np.nan], [0.5, 0.25], [0.0, 0.75]])
    found = _summary.scores("dice", table, ["x", "y"], list("abc"))
    assert found["per_class"] == {"x": 0.5, "y": 0.5}
    assert found["mean"] == 0.5
    low, high = found["per_class_interval"]["y"]
    assert (low, high) == (0.25, 0.75)
