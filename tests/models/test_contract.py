"""Every network: the seam, sizes, gradients, save and load, on odd channel counts and non-square images.

The catalogue is taken as it is: of a new entry the smallest encoder that it takes is found, and whatever it calls a
width is made small.
"""

import copy
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from phalanx.core import catalogue
from phalanx.core.errors import ConfigError
from phalanx.core.labels import LabelSpace

NAMES = catalogue.names("models")
ENCODERS = ("tu-test_vit", "tu-test_resnet", "tu-hrnet_w18_small")
OVERLAPPING = LabelSpace(("a", "b", "c", "d", "e"))
EXCLUSIVE = LabelSpace(("background", "a", "b", "c", "d"), exclusive=True)


def small(name: str, encoder: str, **changes):
    config = catalogue.entry("models", name).Config
    values = {"name": name, "encoder": encoder, "weights": None}
    for key in config.model_fields:
        if key.endswith(("width", "channels")) and key != "channels":
            values[key] = (16, 8, 8, 4, 4) if isinstance(config.model_fields[key].default, tuple) else 32
        if key in ("width", "widths"):
            values[key] = 4 if key == "width" else (4, 4, 8, 8)
    return config.model_validate({**values, **changes})


@cache
def encoder_of(name: str) -> str:
    for encoder in ENCODERS:
        try:
            catalogue.build("models", small(name, encoder)).build(5)
        except (ValueError, ConfigError):
            continue
        return encoder
    raise AssertionError(f"{name} takes none of the small encoders")


@cache
def _built(name: str, changes: tuple, classes: int):
    return catalogue.build("models", small(name, encoder_of(name), **dict(changes))).build(classes)


def network(name: str, classes: int = 5, **changes):
    return copy.deepcopy(_built(name, tuple(sorted(changes.items())), classes))


def images(net, channels: int = 3, count: int = 2) -> torch.Tensor:
    """Not square, odd multiples of what the network asks for, large enough for every pooling."""
    height, width = ((max(side, net.least) // net.multiple | 1) * net.multiple for side in (64, 128))
    return torch.randn(count, channels, height, width)


@pytest.mark.parametrize("name", NAMES)
def test_forward_is_decode_of_encode(name: str) -> None:
    net = network(name, channels=1).eval()
    x = images(net, 1)
    features = net.encode(x)
    decoded = net.decode(features)
    assert decoded.logits.shape == (2, 5, *x.shape[2:])
    assert decoded.embed.shape[0] == 2
    assert decoded.embed.ndim == 4
    assert decoded.pyramid == ()
    assert features[-1].shape[-1] < features[0].shape[-1]
    assert torch.equal(net(x), decoded.logits)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("labels", [OVERLAPPING, EXCLUSIVE], ids=["overlapping", "exclusive"])
def test_every_parameter_learns(name: str, labels: LabelSpace) -> None:
    net = network(name, len(labels)).train()
    x = images(net)
    target = torch.zeros(2, *x.shape[2:], dtype=torch.uint8)
    target[:, 20:60, 10:90] = 1
    if not labels.exclusive:
        target = torch.stack([target] * 5, 1)
    loss = catalogue.build("losses", catalogue.entry("losses", "weighted_sum").Config(), labels)
    decoded = net.decode(net.encode(x))
    assert bool(decoded.pyramid) == net.deeply_supervised
    assert all(logits.shape == decoded.logits.shape for logits in decoded.pyramid)
    sum(loss(logits, target) for logits in (decoded.logits, *decoded.pyramid)).backward()
    still = [key for key, parameter in net.named_parameters() if parameter.grad is None]
    # A transformer's last norm and pooling lie beyond what a decoder asks for; fewer stages leave later ones out.
    assert all("encoder.model." in key for key in still)
    assert len(still) < 10
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", NAMES)
def test_save_and_load_give_the_same_logits(name: str, tmp_path: Path) -> None:
    first, second = network(name).eval(), network(name).eval()
    for parameter in second.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x = images(first, count=1)
    assert not torch.equal(first(x), second(x))
    save_file({key: value.contiguous() for key, value in first.state_dict().items()}, tmp_path / "net.safetensors")
    second.load_state_dict(load_file(tmp_path / "net.safetensors"))
    assert torch.equal(first(x), second(x))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("exclusive", [False, True])
def test_the_heads_start_at_the_class_prior(name: str, exclusive: bool) -> None:
    net = network(name)
    shares = torch.tensor([0.9, 0.05, 0.03, 0.015, 0.005])
    net.start_at_prior(shares, exclusive)
    for bias in (net.output_bias(), *net.auxiliary_biases()):
        started = bias.softmax(0) if exclusive else bias.sigmoid()
        torch.testing.assert_close(started, shares, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_bias_is_that_of_the_logits(name: str) -> None:
    net = network(name).eval()
    x = images(net, count=1)
    before = net(x)
    with torch.no_grad():
        net.output_bias()[1] += 3
    raised = (net(x) - before).amax((0, 2, 3))
    torch.testing.assert_close(raised, torch.tensor([0.0, 3, 0, 0, 0]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_the_encoder_is_part_of_the_network(name: str) -> None:
    net = network(name)
    names = {id(parameter): key for key, parameter in net.named_parameters()}
    found = {names[id(parameter)] for parameter in net.encoder_parameters()}
    assert found == {key for key in names.values() if ".encoder." in key}
    assert 0 < len(found) < len(names)


@pytest.mark.parametrize("name", NAMES)
def test_recomputed_activations_change_nothing_but_memory(name: str) -> None:
    """Same gradients, same running statistics, also of a copy, and fewer tensors kept for the backward pass."""
    plain = network(name).train()
    x = images(plain)
    thrifty = network(name).train()
    thrifty.checkpoint_activations(True)
    thrifty = copy.deepcopy(thrifty)
    kept = [_step(net, x) for net in (plain, thrifty)]
    for (key, first), second in zip(plain.named_parameters(), thrifty.parameters(), strict=True):
        assert (first.grad is None) == (second.grad is None), key
        assert first.grad is None or torch.equal(first.grad, second.grad), key
    for (key, first), second in zip(plain.named_buffers(), thrifty.buffers(), strict=True):
        assert torch.equal(first, second), key
    assert kept[1] < 0.95 * kept[0]
    thrifty.checkpoint_activations(False)
    assert _step(thrifty, x) == kept[0]


def _step(net, x: torch.Tensor) -> int:
    """A step's gradients, dropout drawn alike; bytes kept from the forward to the backward pass, weights apart."""
    own = {tensor.untyped_storage().data_ptr() for tensor in net.state_dict().values()}
    held: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage.nbytes()
        return tensor

    torch.manual_seed(5)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        logits = net(x)
    count = sum(held.values())
    net.zero_grad()
    logits.square().mean().backward()
    return count


@pytest.mark.parametrize("name", NAMES)
def test_norms_that_look_at_one_image_alone(name: str) -> None:
    net = network(name, norm="instance", channels=1)
    assert not [module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for module in net.modules():
        if isinstance(module, torch.nn.modules.dropout._DropoutNd):
            module.p = 0.0
    x = images(net, 1)
    alone = net.train()(x[:1])
    assert torch.allclose(net(torch.cat([x[:1], 50 * x[1:]]))[:1], alone, atol=1e-3)
    assert alone.std((0, 2, 3)).min() > 0


@pytest.mark.parametrize("name", NAMES)
def test_sizes_that_do_not_fit_are_named(name: str) -> None:
    net = network(name)
    x = images(net)
    assert net.multiple == small(name, encoder_of(name)).multiple
    with pytest.raises(ConfigError, match=rf"multiples of {net.multiple}, .* or more: {x.shape[2] + 1}x{x.shape[3]}"):
        net(torch.nn.functional.pad(x, (0, 0, 0, 1)))
    with pytest.raises(ConfigError, match=f"{net.least} or more"):
        net(x[..., : net.least - net.multiple])
