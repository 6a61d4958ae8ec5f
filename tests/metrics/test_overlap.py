"""Dice and IoU by hand, and their interval over groups."""

import numpy as np
import pytest

from phalanx.core import catalogue
from phalanx.metrics import _counts, _summary
from phalanx.metrics.dice import Dice
from phalanx.metrics.iou import Iou


def test_counts_from_runs() -> None:
    predicted = [np.array([[0, 4], [10, 12]]), np.empty((0, 2), np.int64)]
    truth = [np.array([[2, 11]]), np.array([[5, 9]])]
    assert _counts.of(predicted, truth).tolist() == [[3, 6, 9], [0, 0, 4]]


def test_scores_by_hand() -> None:
    counts = np.array([[3, 6, 9], [0, 0, 0], [0, 5, 0], [0, 0, 5]])
    np.testing.assert_allclose(Dice()(counts), [6.0001 / 15.0001, 1.0, 1e-4 / 5.0001, 1e-4 / 5.0001])
    np.testing.assert_allclose(Iou()(counts), [3.0001 / 12.0001, 1.0, 1e-4 / 5.0001, 1e-4 / 5.0001])


@pytest.mark.parametrize("name", catalogue.names("metrics"))
def test_a_missed_object_never_raises_a_mean(name: str) -> None:
    metric = catalogue.entry("metrics", name)()
    found, missed = np.array([[[8, 10, 10]], [[5, 10, 10]]]), np.array([[[8, 10, 10]], [[0, 0, 10]]])
    assert metric(missed).mean() < metric(found).mean()


def test_the_mean_is_over_cases_then_classes() -> None:
    table = np.array([[1.0, 0.5], [0.5, 0.0], [0.0, 1.0]])
    summary = _summary.scores("dice", table, ["a", "b"], ["p", "p", "q"])
    assert summary["per_class"] == {"a": 0.5, "b": 0.5}
    assert summary["mean"] == 0.5
    assert summary["cases"] == 3
    assert summary["per_class_interval"]["b"] == pytest.approx(_summary.interval(table[:, [1]], ["p", "p", "q"]))
    low, high = summary["interval"]
    assert 0.5 == pytest.approx((low + high) / 2, abs=0.1)


def test_two_hands_of_a_person_are_one_observation() -> None:
    """Doubling every case within its group must not narrow the interval."""
    rng = np.random.default_rng(1)
    table = rng.uniform(0.8, 1.0, (20, 3))
    groups = [str(index) for index in range(20)]
    single = _summary.interval(table, groups)
    doubled = _summary.interval(np.repeat(table, 2, axis=0), list(np.repeat(groups, 2)))
    assert doubled == pytest.approx(single)
    naive = _summary.interval(np.repeat(table, 2, axis=0), [str(index) for index in range(40)])
    assert naive[1] - naive[0] < 0.8 * (single[1] - single[0])
    # the textbook's standard error: 1.96 s / sqrt(n) on each side
    expected = 2 * 1.96 * table.mean(1).std(ddof=1) / np.sqrt(20)
    assert single[1] - single[0] == pytest.approx(expected, rel=0.12)


def test_one_group_has_no_interval() -> None:
    assert _summary.interval(np.array([[0.25], [0.75]]), ["p", "p"]) == (0.5, 0.5)
