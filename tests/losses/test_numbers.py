"""Losses against numbers worked out by hand."""

import math

import pytest
import torch

from phalanx.core import catalogue
from phalanx.core.labels import LabelSpace
from phalanx.losses.bce import Bce
from phalanx.losses.dice import Dice
from phalanx.losses.weighted_sum import WeightedSum

ONE = LabelSpace(("a",))
TWO = LabelSpace(("background", "a"), exclusive=True)


def test_binary_cross_entropy() -> None:
    # p = 1/2 and 3/4; truths 1 and 0: -(ln 1/2 + ln 1/4) / 2 = 1.5 ln 2
    logits = torch.tensor([0.0, math.log(3.0)]).reshape(1, 1, 1, 2)
    target = torch.tensor([1, 0], dtype=torch.uint8).reshape(1, 1, 1, 2)
    assert Bce(Bce.Config(), ONE)(logits, target).item() == pytest.approx(1.5 * math.log(2))


def test_categorical_cross_entropy() -> None:
    # softmax over two channels is the sigmoid of their difference
    logits = torch.tensor([[0.0, 0.0], [0.0, math.log(3.0)]]).reshape(1, 2, 1, 2)
    target = torch.tensor([1, 0], dtype=torch.uint8).reshape(1, 1, 2)
    assert Bce(Bce.Config(), TWO)(logits, target).item() == pytest.approx(1.5 * math.log(2))


@pytest.mark.parametrize(("per_image", "expected"), [(False, 1 - (2 * 0.5 + 1) / (2 + 1 + 1)), (True, None)])
def test_dice(per_image: bool, expected: float | None) -> None:
    # two images of two pixels, every probability 1/2; image 1 holds one true pixel, image 2 none
    logits = torch.zeros(2, 1, 1, 2)
    target = torch.tensor([[1, 0], [0, 0]], dtype=torch.uint8).reshape(2, 1, 1, 2)
    if expected is None:
        first, second = 1 - (2 * 0.5 + 1) / (1 + 1 + 1), 1 - 1 / (1 + 0 + 1)
        expected = (first + second) / 2
    value = Dice(Dice.Config(per_image=per_image), ONE)(logits, target)
    assert value.item() == pytest.approx(expected)


def test_dice_leaves_an_exclusive_background_out() -> None:
    # one pixel, p(a) = 1/4, truth background: 1 - 1 / (1/4 + 0 + 1) = 0.2, whatever the background scores
    logits = torch.tensor([math.log(3.0), 0.0]).reshape(1, 2, 1, 1)
    target = torch.zeros(1, 1, 1, dtype=torch.uint8)
    assert Dice(Dice.Config(), TWO)(logits, target).item() == pytest.approx(0.2)


def test_weighted_sum() -> None:
    logits, target = torch.randn(2, 1, 3, 4), torch.ones(2, 1, 3, 4, dtype=torch.uint8)
    terms = [{"loss": {"name": "bce"}, "weight": 0.25}, {"loss": {"name": "dice", "smooth": 2.0}, "weight": 3.0}]
    total = catalogue.build("losses", WeightedSum.Config.model_validate({"terms": terms}), ONE)(logits, target)
    parts = 0.25 * Bce(Bce.Config(), ONE)(logits, target) + 3 * Dice(Dice.Config(smooth=2.0), ONE)(logits, target)
    assert total.item() == pytest.approx(parts.item())
