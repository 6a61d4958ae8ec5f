"""Losses against numbers worked out by hand."""

import itertools
import math

import numpy as np
import pytest
import torch

from phalanx.core import catalogue
from phalanx.core.errors import ConfigError
from phalanx.core.labels import LabelSpace
from phalanx.losses import _distance
from phalanx.losses.asymmetric import Asymmetric
from phalanx.losses.bce import Bce
from phalanx.losses.boundary import Boundary
from phalanx.losses.dice import Dice
from phalanx.losses.focal import Focal
from phalanx.losses.focal_tversky import FocalTversky
from phalanx.losses.hausdorff import Hausdorff
from phalanx.losses.jaccard import Jaccard
from phalanx.losses.lovasz import Lovasz, extension
from phalanx.losses.staged import Staged
from phalanx.losses.tversky import Tversky
from phalanx.losses.weighted_sum import WeightedSum

ONE = LabelSpace(("a",))
PAIR = LabelSpace(("a", "b"))
TWO = LabelSpace(("background", "a"), exclusive=True)
THREE = LabelSpace(("background", "a", "b"), exclusive=True)
# Logits whose sigmoid is 1/4, 1/2 and 3/4.
QUARTER, HALF, THREE_QUARTERS = -math.log(3.0), 0.0, math.log(3.0)


def row(*values: float) -> torch.Tensor:
    """One image of one channel and one row."""
    return torch.tensor(values).reshape(1, 1, 1, -1)


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


def test_categorical_cross_entropy_of_a_volume() -> None:
    """A number of the reference implementations of semi-supervised segmentation."""
    logits = torch.from_numpy(2 * np.sin(0.37 * np.arange(2 * 3 * 64.0))).float().reshape(2, 3, 4, 4, 4)
    target = torch.from_numpy(7 * np.arange(2 * 64) // 5 % 3).reshape(2, 4, 4, 4)
    assert Bce(Bce.Config(), THREE)(logits, target).item() == pytest.approx(2.066974, abs=2e-6)


def test_focal() -> None:
    # truths 1 and 0, both said with p_t = 3/4: (1/4)^2 ln 4/3
    logits, target = row(THREE_QUARTERS, QUARTER), row(1, 0)
    assert Focal(Focal.Config(), ONE)(logits, target).item() == pytest.approx(math.log(4 / 3) / 16)
    # alpha 0.9 of the first, 0.1 of the second; gamma 0: cross-entropy
    expected = (0.9 + 0.1) / 2 * math.log(4 / 3)
    assert Focal(Focal.Config(gamma=0, alpha=0.9), ONE)(logits, target).item() == pytest.approx(expected)
    exclusive = torch.tensor([[0.0, 0.0], [THREE_QUARTERS, QUARTER]]).reshape(1, 2, 1, 2)
    assert Focal(Focal.Config(gamma=3), TWO)(exclusive, torch.tensor([[[1, 0]]])).item() == pytest.approx(
        math.log(4 / 3) / 64
    )
    with pytest.raises(ConfigError, match="Set class_weights instead"):
        Focal(Focal.Config(alpha=0.5), TWO)


# One row: every probability 1/2, one pixel true: |p y| = 1/2, |p| = 2, |y| = 1, so FP = 3/2, FN = 1/2.
@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (Jaccard(Jaccard.Config(), ONE), 1 - (0.5 + 1) / (2 + 1 - 0.5 + 1)),
        (Tversky(Tversky.Config(), ONE), 1 - (0.5 + 1) / (0.5 + 0.3 * 1.5 + 0.7 * 0.5 + 1)),
        (FocalTversky(FocalTversky.Config(), ONE), (0.8 / 2.3) ** 0.75),
        (Tversky(Tversky.Config(alpha=0.5, beta=0.5, smooth=0.5), ONE), 1 - (2 * 0.5 + 1) / (2 + 1 + 1)),
    ],
    ids=["jaccard", "tversky", "focal_tversky", "tversky as dice"],
)
def test_regions(loss, expected: float) -> None:
    assert loss(row(0, 0, 0, 0), row(0, 1, 0, 0)).item() == pytest.approx(expected)


def test_lovasz_extension() -> None:
    # Truth: pixels 1 and 3. Mispredicting {1} costs 1/2 in Jaccard, {1, 2} 2/3, all three 1.
    errors, truth = torch.tensor([0.9, 0.6, 0.3]), torch.tensor([1.0, 0, 1])
    assert extension(errors, truth).item() == pytest.approx(0.9 / 2 + 0.6 / 6 + 0.3 / 3)


def test_lovasz_extension_is_that_of_the_definition() -> None:
    """The Jaccard loss of growing sets of mispredicted pixels, largest error first; empty, mixed and full truths."""
    random = torch.Generator().manual_seed(3)
    for truth in itertools.product([0.0, 1.0], repeat=5):
        errors, true = torch.rand(5, generator=random), {place for place in range(5) if truth[place]}
        total, before, wrong = 0.0, 0.0, set()
        for place in errors.argsort(descending=True).tolist():
            wrong.add(place)
            cost = len(wrong) / len(true | wrong)
            total, before = total + errors[place].item() * (cost - before), cost
        assert extension(errors, torch.tensor(truth)).item() == pytest.approx(total, abs=1e-6)


def test_lovasz() -> None:
    # Hinges max(0, 1 - z s): 0, 3, 1/2; truth: the first and the last.
    logits, target = row(2, 2, 0.5), row(1, 0, 1)
    expected = 3 * 1 / 3 + 0.5 * 1 / 3
    assert Lovasz(Lovasz.Config(), ONE)(logits, target).item() == pytest.approx(expected)
    # Softmax errors of class a: 1/4 (true) and 3/4 (false): 3/4 x 1/2 + 1/4 x 1/2
    exclusive = torch.tensor([[0.0, 0.0], [THREE_QUARTERS, THREE_QUARTERS]]).reshape(1, 2, 1, 2)
    assert Lovasz(Lovasz.Config(), TWO)(exclusive, torch.tensor([[[1, 0]]])).item() == pytest.approx(0.5)
    # Image by image: the second holds no pixel of the class and costs its worst hinge, 1.
    both = torch.cat([logits, row(0, -1, -2)]), torch.cat([target, row(0, 0, 0)])
    per_image = Lovasz(Lovasz.Config(per_image=True), ONE)(*both)
    assert per_image.item() == pytest.approx((expected + 1) / 2)


def test_lovasz_weighs_every_pixel_of_large_images() -> None:
    """2M false pixels, then 1M true ones in falling order: the i-th adds G / ((G + i) (G + i - 1)), G the true ones."""
    errors = torch.cat([torch.linspace(1, 0.6, 2_000_000), torch.full((1_000_000,), 0.5)]).requires_grad_()
    truth = (errors < 0.55).float()
    extension(errors, truth).backward()
    union = 1_000_000 + torch.arange(1, 2_000_001, dtype=torch.float64)
    expected = 1_000_000 / (union * (union - 1))
    # Errors as close as float32 can hold may change places.
    found = errors.grad[:2_000_000].double().sort(descending=True).values
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("size", [(7, 9), (4, 5, 6)])
def test_distances_are_those_to_the_nearest_pixel_across(size: tuple[int, ...]) -> None:
    masks = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1)) < 0.3
    found = _distance.to_edge(masks)
    diagonal = math.sqrt(sum(side * side for side in size))
    places = torch.stack(torch.meshgrid(*[torch.arange(side) for side in size], indexing="ij"), -1).flatten(0, -2)
    for mask, distance in zip(masks.flatten(0, 1).flatten(1), found.flatten(0, 1).flatten(1), strict=True):
        apart = torch.cdist(places.double(), places.double())
        across = apart.masked_fill(mask[:, None] == mask[None], math.inf).amin(1)
        expected = (across - 0.5) * torch.where(mask, -1, 1) / diagonal
        torch.testing.assert_close(distance.double(), expected, atol=1e-6, rtol=0)


def test_distances_where_there_is_no_edge() -> None:
    masks = torch.stack([torch.zeros(1, 3, 4), torch.ones(1, 3, 4)]) > 0
    found = _distance.to_edge(masks)
    assert torch.equal(found[0], torch.ones(1, 3, 4))
    assert torch.equal(found[1], -torch.ones(1, 3, 4))


def test_boundary() -> None:
    # Distances -3/2, -1/2, 1/2, 3/2, every p - y is 1/2 off: (3/2 + 1/2 + 1/2 + 3/2) / 2 / 4 of a diagonal sqrt 17
    value = Boundary(Boundary.Config(), ONE)(row(0, 0, 0, 0), row(1, 1, 0, 0))
    assert value.item() == pytest.approx(0.5 / math.sqrt(17))
    # An absent class: one diagonal everywhere.
    assert Boundary(Boundary.Config(), ONE)(row(0, 0, 0, 0), row(0, 0, 0, 0)).item() == pytest.approx(0.5)


def test_hausdorff() -> None:
    # To the truth's edge 3/2, 1/2, 1/2, 3/2; to the prediction's 5/2, 3/2, 1/2, 1/2; squared errors 1, 1, 9, 1 of 16.
    logits = row(THREE_QUARTERS, THREE_QUARTERS, THREE_QUARTERS, QUARTER)
    value = Hausdorff(Hausdorff.Config(), ONE)(logits, row(1, 1, 0, 0))
    expected = (1 * (2.25 + 6.25) + 1 * (0.25 + 2.25) + 9 * (0.25 + 0.25) + 1 * (2.25 + 0.25)) / 16 / 4 / 17
    assert value.item() == pytest.approx(expected)
    # No edge in the prediction adds nothing; an absent class is one diagonal away.
    assert Hausdorff(Hausdorff.Config(), ONE)(row(0, 0, 0, 0), row(0, 0, 0, 0)).item() == pytest.approx(0.25)


def test_hausdorff_takes_the_edge_of_the_winning_class() -> None:
    logits = torch.zeros(1, 2, 1, 4)
    logits[0, 1] = torch.tensor([THREE_QUARTERS, THREE_QUARTERS, THREE_QUARTERS, QUARTER])
    overlapping = Hausdorff(Hausdorff.Config(), ONE)(logits[:, 1:], row(1, 1, 0, 0))
    exclusive = Hausdorff(Hausdorff.Config(), TWO)(logits, torch.tensor([[[1, 1, 0, 0]]]))
    assert exclusive.item() == pytest.approx(overlapping.item())


def test_asymmetric() -> None:
    # p = 3/4 where the class is: (1/4)^1 ln 4/3; elsewhere: q = 0.7, 0.7^2 (-ln 0.3)
    settings = Asymmetric.Config(gamma_negative=2)
    value = Asymmetric(settings, ONE)(row(THREE_QUARTERS, THREE_QUARTERS), row(1, 0))
    held, free = 0.25 * math.log(4 / 3), -0.49 * math.log(0.3)
    assert value.item() == pytest.approx((held + free) / 2)
    # Two classes that exclude each other: p(a) = 3/4, p(background) = 1/4, q = 0.2
    logits = torch.tensor([0.0, THREE_QUARTERS]).reshape(1, 2, 1, 1)
    exclusive = Asymmetric(settings, TWO)(logits, torch.ones(1, 1, 1))
    assert exclusive.item() == pytest.approx((held - 0.04 * math.log(0.8)) / 2)
    # No margin, no focus: cross-entropy
    plain = Asymmetric(Asymmetric.Config(gamma_positive=0, gamma_negative=0, margin=0), ONE)
    assert plain(row(0.3, -2), row(1, 0)).item() == pytest.approx(
        Bce(Bce.Config(), ONE)(row(0.3, -2), row(1, 0)).item(), rel=1e-5
    )


def test_class_weights_of_pixels() -> None:
    random = torch.Generator().manual_seed(2)
    logits, target = torch.randn(2, 3, 4, 5, generator=random), torch.randint(3, (2, 4, 5), generator=random)
    weights = (0.2, 3.0, 1.5)
    reference = torch.nn.functional.cross_entropy(logits, target, torch.tensor(weights))
    assert Bce(Bce.Config(class_weights=weights), THREE)(logits, target).item() == pytest.approx(reference.item())
    # Every true class without weight: nothing to learn, and finite.
    silent = Bce(Bce.Config(class_weights=(0.0, 1.0, 1.0)), THREE)
    assert silent(logits, torch.zeros_like(target)).item() == 0


def test_class_weights_of_channels() -> None:
    # ln 2 in channel a, 2 ln 2 in b (p = 1/4, true); weights 1 and 3
    logits = torch.tensor([HALF, QUARTER]).reshape(1, 2, 1, 1)
    value = Bce(Bce.Config(class_weights=(1.0, 3.0)), PAIR)(logits, torch.ones(1, 2, 1, 1))
    assert value.item() == pytest.approx(math.log(2) * (1 + 3 * 2) / 4)
    # Dice: a 1 - (2/2 + 1) / (3/2 + 1) = 1/5, b 1 - (2/4 + 1) / (5/4 + 1) = 1/3
    weighted = Dice(Dice.Config(class_weights={"b": 3.0}), PAIR)(logits, torch.ones(1, 2, 1, 1))
    assert weighted.item() == pytest.approx((1 / 5 + 3 / 3) / 4)


def staged(*stages):
    return catalogue.build("losses", Staged.Config.model_validate({"stages": stages}), ONE)


def test_stages_follow_the_epoch_and_the_dice() -> None:
    names = ("bce", "dice", "focal")
    logits, target = row(0.3, -1, 2), row(1, 0, 0)
    alone = [catalogue.build("losses", catalogue.entry("losses", name).Config(), ONE) for name in names]
    loss = staged(
        {"loss": {"name": "bce"}},
        {"loss": {"name": "dice"}, "from_epoch": 3},
        {"loss": {"name": "focal"}, "from_dice": 0.8},
    )
    seen = []
    for epoch, dice in [(0, None), (2, 0.79), (3, 0.79), (4, 0.8), (5, 0.7)]:
        loss.progress(epoch, dice)
        seen.append([loss(logits, target).item() == one(logits, target).item() for one in alone].index(True))
    assert seen == [0, 0, 1, 2, 1]


def test_stages_within_sums_are_told() -> None:
    inner = {"name": "staged", "stages": [{"loss": {"name": "bce"}}, {"loss": {"name": "dice"}, "from_epoch": 1}]}
    loss = catalogue.build(
        "losses", WeightedSum.Config.model_validate({"terms": [{"loss": inner, "weight": 2.0}]}), ONE
    )
    loss.progress(1, None)
    logits, target = row(0.3, -1), row(1, 0)
    assert loss(logits, target).item() == pytest.approx(2 * Dice(Dice.Config(), ONE)(logits, target).item())


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ([{"loss": {"name": "bce"}, "from_epoch": 1}], "the first stage begins at once"),
        ([{"loss": {"name": "bce"}}, {"loss": {"name": "dice"}}], "needs either from_epoch or from_dice"),
        (
            [{"loss": {"name": "bce"}}, *({"loss": {"name": "dice"}, "from_epoch": epoch} for epoch in (5, 2))],
            "in the order in which they begin",
        ),
    ],
)
def test_stages_that_make_no_sense_are_refused(stages, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        staged(*stages)
