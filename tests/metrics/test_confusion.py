"""Confusion: counted by hand on a strip of pixels, and against boolean planes."""

import numpy as np
import pytest

from phalanx.mask import runs
from phalanx.metrics import _confusion


def strip(*spans: tuple[int, int]) -> np.ndarray:
    return np.array(spans, np.int64).reshape(-1, 2)


def test_by_hand() -> None:
    # Truth: a is 0-9, b 8-15 (they share 8 and 9), c 20-23. Predicted: a 0-5, b 4-15, c nothing.
    truth = [strip((0, 10)), strip((8, 16)), strip((20, 24))]
    predicted = [strip((0, 6)), strip((4, 16)), strip()]
    counts = _confusion.of(predicted, truth)
    # Of a, 6-9 are missed; b took 6 and 7 wrongly and has a right to 8 and 9. All of b is found; c is lost to nobody.
    assert counts.tolist() == [[6, 2, 0, 2, 4], [0, 8, 0, 0, 0], [0, 0, 0, 4, 4]]


def dense(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The definition, pixel by pixel."""
    missed, extra = truth & ~predicted, predicted & ~truth
    counts = (missed[:, None] & extra[None]).sum((2, 3))
    np.fill_diagonal(counts, (truth & predicted).sum((1, 2)))
    nobody = (missed & ~extra.any(0)).sum((1, 2))
    return np.concatenate([counts, nobody[:, None], missed.sum((1, 2))[:, None]], 1)


@pytest.mark.parametrize("seed", range(6))
def test_like_planes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.05, 0.9, (2, 5, 1, 1))
    predicted, truth = rng.random((2, 5, 7, 11)) < share
    # An empty class on either side, and one that fills the image to its last pixel.
    predicted[0], truth[1], predicted[2] = False, False, True
    found = _confusion.of([runs.from_mask(mask) for mask in predicted], [runs.from_mask(mask) for mask in truth])
    assert found.tolist() == dense(predicted, truth).tolist()


def test_classes_that_exclude_each_other() -> None:
    rng = np.random.default_rng(3)
    maps = rng.integers(0, 4, (2, 6, 9))
    predicted, truth = ([runs.from_mask(one == label) for label in range(4)] for one in maps)
    counts = _confusion.of(predicted, truth)
    # Then it is the usual confusion matrix, and every missed pixel has one taker.
    usual = np.zeros((4, 4), int)
    np.add.at(usual, (maps[1].ravel(), maps[0].ravel()), 1)
    assert counts[:, :4].tolist() == usual.tolist()
    assert counts[:, 4].tolist() == [0, 0, 0, 0]
    assert (counts[:, :4].sum(1) - usual.diagonal()).tolist() == counts[:, 5].tolist()
