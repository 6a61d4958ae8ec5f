"""A pass through a network without numbers: do its parts fit each other and the images?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from phalanx.core.errors import ConfigError
from phalanx.models._base import Network
from phalanx.models._encoder import EncoderConfig

# Multiples of 64, and large enough that only what is pooled is one pixel in size.
_SIZE = (192, 320)


def size_options(encoder: str, size: tuple[int, int] | None) -> list[dict[str, Any]]:
    """Options to try, in this order, on an encoder that is made for one image size; others need none.

    First what lets it take images of any size with the weights it has, then what fits it to `(height, width)`.
    """
    if _native_size(encoder) is None:
        return [{}]
    exact = [{"img_size": size}] if size is not None else []
    return [{"strict_img_size": False}, {"dynamic_img_size": True}, {}, *exact]


def run(network: Network, config: EncoderConfig, size: tuple[int, int] | None) -> set[nn.Module]:
    """Send shapes through a network.

    Returns:
        The batch norms that see one pixel an image.

    Raises:
        ConfigError: the logits are not of the image's size; other errors come from the network itself.
    """
    seen: list[set[nn.Module]] = []
    network.eval()
    for height, width in _sizes(config, size):
        pooled, hooks = set(), []
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                hooks.append(module.register_forward_hook(_watch(pooled)))
        try:
            shape = _pass(network, (1, config.channels, height, width))
        finally:
            for hook in hooks:
                hook.remove()
        if shape != (height, width):
            raise ConfigError(
                "the network's output is not of its input's size",
                f"{shape[0]}x{shape[1]} of {height}x{width}",
                "choose another encoder or depth",
            )
        seen.append(pooled)
    network.train()
    return seen[0]


def idle(network: Network, encoder: nn.Module, config: EncoderConfig, size: tuple[int, int] | None) -> list[str]:
    """The parts of an encoder whose weights reach no logit, such as stages beyond its depth.

    Args:
        network: as a whole.
        encoder: the part of it that is searched.
        config: of the encoder.
        size: `(height, width)` of the images, in pixels, for encoders that are made for one size.

    Returns:
        Names of modules, none inside another; none at all where a network cannot be differentiated on shapes alone.
    """
    parameters = dict(network.named_parameters())
    empty = {name: torch.empty_like(held, device="meta", requires_grad=True) for name, held in parameters.items()}
    buffers = {name: buffer.to("meta") for name, buffer in network.named_buffers()}
    image = torch.empty((1, config.channels, *_sizes(config, size)[0]), device="meta")
    network.eval()
    try:
        total = functional_call(network, {**empty, **buffers}, (image,)).sum()
        slopes = torch.autograd.grad(total, list(empty.values()), allow_unused=True)
    except RuntimeError:
        return []
    finally:
        network.train()
    unused = {held for held, slope in zip(parameters.values(), slopes, strict=True) if slope is None}
    return list(_parts(encoder, unused))


def _sizes(config: EncoderConfig, size: tuple[int, int] | None) -> list[tuple[int, int]]:
    """Image sizes `(height, width)` to try: the one that an encoder is made for, or a usual one and the images' own."""
    native = _native_size(config.encoder)
    if native is not None:
        return [size or native]
    usual = max(_SIZE[0], config.least), max(_SIZE[1], config.least)
    return list(dict.fromkeys([usual, size or usual]))


def _parts(module: nn.Module, unused: set[nn.Parameter], prefix: str = "") -> Iterator[str]:
    """The largest modules all of whose parameters are unused."""
    for name, part in module.named_children():
        held = list(part.parameters())
        if held and unused.issuperset(held):
            yield prefix + name
        else:
            yield from _parts(part, unused, f"{prefix}{name}.")


def _watch(pooled: set[nn.Module]) -> Any:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if inputs[0].shape[2:].numel() == 1:
            pooled.add(module)

    return hook


def _pass(network: Network, shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of the logits of images of a shape."""
    with torch.no_grad():
        held = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        empty = {name: tensor.to("meta") for name, tensor in held.items()}
        try:
            logits = functional_call(network, empty, (torch.empty(shape, device="meta"),))
        except (RuntimeError, NotImplementedError) as error:
            if "meta" not in str(error):
                raise
            # Some layer makes tensors of its own on the host, or has no rule for shapes alone.
            logits = network(torch.zeros(shape))
    return logits.shape[-2], logits.shape[-1]


def _native_size(encoder: str) -> tuple[int, int] | None:
    """`(height, width)` that a timm encoder is made for, None: any will do."""
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(encoder.removeprefix("tu-")) if encoder.startswith("tu-") else None
    return config.input_size[-2:] if config is not None and config.fixed_input_size else None
