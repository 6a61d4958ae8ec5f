"""Labels that predictions contradict."""

import numpy as np
import pytest

from phalanx.data import disagreement

NAMES = ("easy", "hard")
IDS = [f"{number}.png" for number in range(20)]


@pytest.fixture
def dice():
    rng = np.random.default_rng(0)
    return 1 - np.array([0.03, 0.3]) * np.exp(rng.normal(0, 0.25, (20, 2)))


def test_the_worst_first_and_each_by_the_measure_of_its_class(dice):
    assert disagreement.check(IDS, dice, NAMES) == []
    dice[4] = 0.7, 0.7  # far below the easy class, as usual for the hard one
    dice[9, 0] = 0.2
    first, second = disagreement.check(IDS, dice, NAMES)
    assert (first.case, first.classes, second.case, second.classes) == ("9.png", ("easy",), "4.png", ("easy",))
    assert first.evidence["dice"] == 0.2
    assert first.evidence["usual"] == pytest.approx(0.97, abs=0.01)
    assert disagreement.check(IDS[:7], dice[:7], NAMES) == []


def test_a_little_below_perfect_is_no_fault():
    dice = np.full((20, 1), 0.999)
    dice[3] = 0.9
    assert disagreement.check(IDS, dice, ("a",)) == []
    dice[3] = 0.8
    assert [item.case for item in disagreement.check(IDS, dice, ("a",))] == ["3.png"]


def test_crossed_labels_by_hand():
    one, two, three = np.array([[0, 10]]), np.array([[20, 30]]), np.array([[40, 50]])
    shifted = np.array([[23, 33]])
    (found,) = disagreement.crossed("x.png", {"a": one, "b": two, "c": three}, {"a": shifted, "b": one, "c": three})
    assert found.remedy == {"swap": ["a", "b"]}
    assert found.evidence["dice"] == pytest.approx(0.7)
    assert disagreement.crossed("x.png", {"a": one, "b": two}, {"a": one, "b": two}) == []
    assert disagreement.crossed("x.png", {"a": one, "b": one[:0]}, {"a": one[:0], "b": one[:0]}) == []
