"""Every loss: a finite scalar with a gradient, for overlapping and exclusive labels, present and absent classes."""

import pytest
import torch

from phalanx.core import catalogue
from phalanx.core.errors import ConfigError
from phalanx.core.labels import LabelSpace

NAMES = catalogue.names("losses")
WEIGHTED = [name for name in NAMES if "class_weights" in catalogue.entry("losses", name).Config.model_fields]
OVERLAPPING = LabelSpace(("a", "b", "c"))
EXCLUSIVE = LabelSpace(("background", "a", "b"), exclusive=True)
SPACES = pytest.mark.parametrize("labels", [OVERLAPPING, EXCLUSIVE], ids=["overlapping", "exclusive"])


def loss_of(name: str, labels: LabelSpace, **values):
    config = catalogue.entry("losses", name).Config.model_validate({"name": name, **values})
    return catalogue.build("losses", config, labels)


def target_of(labels: LabelSpace, kind: str, size: tuple[int, ...] = (6, 5)) -> torch.Tensor:
    shape = (2, *size) if labels.exclusive else (2, 3, *size)
    target = torch.zeros(shape, dtype=torch.uint8)
    if kind == "full":
        target += 1
    if kind == "present":
        target[..., :3, :2] = 1
    return target


def noise(*size: int) -> torch.Tensor:
    return torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NAMES)
@SPACES
@pytest.mark.parametrize("kind", ["empty", "present", "full"])
@pytest.mark.parametrize("scale", [0.0, 1.0, 80.0, 1e5])
def test_finite_scalar_with_a_gradient(name: str, labels: LabelSpace, kind: str, scale: float) -> None:
    logits = (noise(6, 5) * scale).requires_grad_()
    value = loss_of(name, labels)(logits, target_of(labels, kind))
    value.backward()
    assert value.shape == ()
    assert torch.isfinite(value)
    assert value >= 0
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", NAMES)
@SPACES
def test_a_step_down_the_gradient_lowers_it(name: str, labels: LabelSpace) -> None:
    loss, target, logits = loss_of(name, labels), target_of(labels, "present"), noise(6, 5).requires_grad_()
    before = loss(logits, target)
    before.backward()
    assert logits.grad.abs().max() > 0
    stepped = logits.detach() - 0.05 * logits.grad / logits.grad.norm()
    assert loss(stepped, target) < before


@pytest.mark.parametrize("name", NAMES)
@SPACES
def test_the_truth_costs_less_than_anything_else(name: str, labels: LabelSpace) -> None:
    loss, target = loss_of(name, labels), target_of(labels, "present")
    right = (labels.planes(target) * 2 - 1) * 20
    assert loss(right, target) < 0.02
    assert loss(right, target) < loss(torch.zeros_like(right), target) < loss(-right, target)


@pytest.mark.parametrize("name", NAMES)
@SPACES
def test_painting_an_absent_class_costs(name: str, labels: LabelSpace) -> None:
    """SMP's Dice loss is 0.0 here: false positives on absent bones are free."""
    loss, target = loss_of(name, labels), target_of(labels, "empty")
    silent = (labels.planes(target) * 2 - 1) * 20
    painted, blob = silent.clone(), silent.clone()
    painted[:, 2] = 40
    blob[:, 2, 1:4, 2:4] = 40
    assert loss(painted, target) > loss(silent, target) + 0.1
    assert loss(blob, target) > loss(silent, target) + 0.02


@pytest.mark.parametrize("name", NAMES)
@SPACES
def test_half_precision_logits_are_judged_in_float32(name: str, labels: LabelSpace) -> None:
    logits = noise(6, 5).bfloat16().requires_grad_()
    loss, target = loss_of(name, labels), target_of(labels, "present")
    value = loss(logits, target)
    value.backward()
    assert value.dtype == torch.float32
    assert torch.equal(value, loss(logits.float(), target))
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", NAMES)
@SPACES
def test_volumes_are_judged_as_images_are(name: str, labels: LabelSpace) -> None:
    logits, target = noise(4, 6, 5).requires_grad_(), target_of(labels, "present", (4, 6, 5))
    value = loss_of(name, labels)(logits, target)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", NAMES)
@SPACES
def test_channels_last_changes_nothing(name: str, labels: LabelSpace) -> None:
    loss, target, logits = loss_of(name, labels), target_of(labels, "present"), noise(6, 5)
    assert torch.equal(loss(logits, target), loss(logits.contiguous(memory_format=torch.channels_last), target))


@pytest.mark.parametrize("name", WEIGHTED)
@SPACES
def test_class_weights(name: str, labels: LabelSpace) -> None:
    logits, target = noise(6, 5), target_of(labels, "present")
    plain = loss_of(name, labels)(logits, target)
    even = loss_of(name, labels, class_weights=[3.0, 3, 3])(logits, target)
    torch.testing.assert_close(even, plain)
    by_name = loss_of(name, labels, class_weights={"b": 5.0, "a": 0.5})(logits, target)
    order = {"a": 0.5, "b": 5.0}
    in_order = loss_of(name, labels, class_weights=[order.get(key, 1.0) for key in labels.names])(logits, target)
    assert torch.equal(by_name, in_order)
    assert not torch.isclose(by_name, plain)
    # A class without weight: whatever is said about it makes no difference, unless the classes share their pixels.
    if not labels.exclusive:
        loss, other = loss_of(name, labels, class_weights={"b": 0.0}), logits.clone()
        other[:, 1] = -3 * other[:, 1]
        torch.testing.assert_close(loss(other, target), loss(logits, target))


@pytest.mark.parametrize("name", WEIGHTED)
def test_class_weights_that_do_not_fit_are_named(name: str) -> None:
    with pytest.raises(ConfigError, match="a class that is not there: back.*background"):
        loss_of(name, EXCLUSIVE, class_weights={"back": 1.0})
    with pytest.raises(ConfigError, match="a weight for each of 3 classes: 4"):
        loss_of(name, EXCLUSIVE, class_weights=[1.0, 1, 1, 1])
    with pytest.raises(ConfigError, match="nothing to learn"):
        loss_of(name, EXCLUSIVE, class_weights={"a": 0.0, "b": 0.0})
    assert loss_of(name, EXCLUSIVE, class_weights=[2.0, 3.0]).weights == (1.0, 2.0, 3.0)


@pytest.mark.parametrize("name", NAMES)
def test_the_epoch_can_be_told(name: str) -> None:
    loss, target = loss_of(name, OVERLAPPING), target_of(OVERLAPPING, "present")
    for epoch, dice in enumerate([None, 0.5, 0.97]):
        loss.progress(epoch, dice)
        assert torch.isfinite(loss(noise(6, 5), target))
