"""Agreement: matrices and odd ones out, by hand."""

import numpy as np
import pytest

from phalanx.metrics import _agreement
from phalanx.metrics._agreement import Agreement
from phalanx.metrics._overlaps import Grid

# Two images of class x, one of y; pairs (0, 1), (0, 2), (1, 2).
GRID = Grid([("a", "x"), ("b", "x"), ("a", "y")])
DICE = np.array([[0.9, 0.7, 1.0], [0.2, 0.4, 1.0], [0.3, 0.4, 1.0]])


def test_a_matrix_a_class():
    found = Agreement(DICE, GRID, 3)
    matrices = found.per_class()
    np.testing.assert_allclose(matrices[0], [[1, 0.8, 0.3], [0.8, 1, 0.35], [0.3, 0.35, 1]])
    np.testing.assert_allclose(matrices[1], np.ones((3, 3)))
    np.testing.assert_allclose(found.of_files(matrices), [[0.55, 0.575, 0.325], [1, 1, 1]])


def test_the_largest_disagreements_and_who_stands_alone():
    first, second = Agreement(DICE, GRID, 3).largest(20)
    assert (first.image, first.label, first.odd) == ("a", "x", 2)
    assert (first.mean, first.odd_mean, first.rest) == pytest.approx((1.4 / 3, 0.25, 0.9))
    assert (second.image, second.mean, second.odd) == ("b", 0.5, 2)
    assert [item.image for item in Agreement(DICE, GRID, 3).largest(1)] == ["a"]


def test_nobody_is_odd_of_two_or_where_two_stand_alike():
    assert Agreement(np.array([[0.5, 0.1, 1.0]]), GRID, 2).largest(1)[0].odd is None
    halves = np.zeros((len(_agreement.pairs(4)), 3))
    halves[0] = halves[5] = 1.0
    assert [(item.mean, item.odd) for item in Agreement(halves, GRID, 4).largest(1)] == [(pytest.approx(1 / 3), None)]
