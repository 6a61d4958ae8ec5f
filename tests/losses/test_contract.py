"""Every loss: a finite scalar with a gradient, for overlapping and exclusive labels, present and absent classes."""

import pytest
import torch

from phalanx.core import catalogue
from phalanx.core.labels import LabelSpace

OVERLAPPING = LabelSpace(("a", "b", "c"))
EXCLUSIVE = LabelSpace(("background", "a", "b"), exclusive=True)
SPACES = [OVERLAPPING, EXCLUSIVE]


def loss_of(name: str, labels: LabelSpace):
    return catalogue.build("losses", catalogue.entry("losses", name).Config(), labels)


def target_of(labels: LabelSpace, kind: str) -> torch.Tensor:
    shape = (2, 6, 5) if labels.exclusive else (2, 3, 6, 5)
    if kind == "empty":
        return torch.zeros(shape, dtype=torch.uint8)
    target = torch.zeros(shape, dtype=torch.uint8)
    target[..., :3, :2] = 1
    return target


@pytest.mark.parametrize("name", catalogue.names("losses"))
@pytest.mark.parametrize("labels", SPACES, ids=["overlapping", "exclusive"])
@pytest.mark.parametrize("kind", ["empty", "present"])
@pytest.mark.parametrize("scale", [1.0, 80.0])
def test_finite_scalar_with_a_gradient(name: str, labels: LabelSpace, kind: str, scale: float) -> None:
    logits = (torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(0)) * scale).requires_grad_()
    value = loss_of(name, labels)(logits, target_of(labels, kind))
    value.backward()
    assert value.shape == ()
    assert torch.isfinite(value)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", catalogue.names("losses"))
@pytest.mark.parametrize("labels", SPACES, ids=["overlapping", "exclusive"])
def test_the_truth_costs_less_than_anything_else(name: str, labels: LabelSpace) -> None:
    loss, target = loss_of(name, labels), target_of(labels, "present")
    right = (labels.planes(target) * 2 - 1) * 20
    assert loss(right, target) < 0.02
    assert loss(right, target) < loss(torch.zeros_like(right), target) < loss(-right, target)


@pytest.mark.parametrize("name", catalogue.names("losses"))
@pytest.mark.parametrize("labels", SPACES, ids=["overlapping", "exclusive"])
def test_painting_an_absent_class_costs(name: str, labels: LabelSpace) -> None:
    """SMP's Dice loss is 0.0 here: false positives on absent bones are free."""
    loss, target = loss_of(name, labels), target_of(labels, "empty")
    silent = (labels.planes(target) * 2 - 1) * 20
    painted = silent.clone()
    painted[:, 2] = 40
    assert loss(painted, target) > loss(silent, target) + 0.1


@pytest.mark.parametrize("name", catalogue.names("losses"))
def test_half_precision_logits_are_judged_in_float32(name: str) -> None:
    logits = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(1)).bfloat16()
    loss, target = loss_of(name, OVERLAPPING), target_of(OVERLAPPING, "present")
    assert loss(logits, target).dtype == torch.float32
    assert torch.equal(loss(logits, target), loss(logits.float(), target))
