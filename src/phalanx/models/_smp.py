"""Networks of segmentation-models-pytorch behind the seam of `models/_base.py`, and own decoders on its encoders.

Source: Iakubovskii, Segmentation Models Pytorch, https://github.com/qubvel-org/segmentation_models.pytorch (MIT).
Differs: batch norms of the decoders that see one pixel an image (of pooling branches) are norms over its channels;
stages of an encoder that no logit depends on are taken out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import Parameter

from phalanx.core.catalogue import nearest
from phalanx.core.errors import ConfigError
from phalanx.models import _dry, _norms, _weights
from phalanx.models._base import Decoded, Network
from phalanx.models._encoder import EncoderConfig

# Options for encoders made for one image size -> a module with an `encoder`, a `decoder` and a `segmentation_head`.
Make = Callable[[dict[str, Any]], nn.Module]
# Name of an encoder, its weights, options as above -> the encoder.
Remake = Callable[[str, Any, dict[str, Any]], nn.Module]
# Stages of an encoder at most; only a shallower one leaves some of them unused.
_DEEPEST = 5
# What modules that do not fit each other raise.
_MISFITS = (KeyError, ValueError, TypeError, RuntimeError, AssertionError, ConfigError)


class SmpNetwork(Network):
    """An SMP model, split where its encoder ends.

    Args:
        model: with an `encoder`, a `decoder` and a `segmentation_head`.
        multiple: what the height and the width of an image must be divisible by.
        least: what they must be at least.
    """

    def __init__(self, model: nn.Module, multiple: int, least: int) -> None:
        super().__init__()
        self.model, self.multiple, self.least = model, multiple, least

    def encode(self, x: Tensor) -> list[Tensor]:
        """Features of images `(b, k, h, w)`, fine to coarse; the first is the image itself."""
        return list(self.encoded(x))

    def encoded(self, x: Tensor) -> Any:
        """What the encoder makes of images `(b, k, h, w)`.

        Raises:
            ConfigError: the encoder does not take images of this size.
        """
        height, width = x.shape[-2:]
        if height % self.multiple or width % self.multiple or min(height, width) < self.least:
            raise ConfigError(
                f"the height and the width of images must be multiples of {self.multiple}, {self.least} or more",
                f"{height}x{width}",
                "change data.size",
            )
        try:
            return self.model.encoder(x)  # type: ignore[operator]
        except AssertionError as error:
            raise ConfigError(
                "the encoder was built for images of another size",
                f"{height}x{width} ({_weights.first_line(error)})",
                "give images of the size it was built for, or choose an encoder that takes any (resnet, hrnet, pvt_v2)",
            ) from None

    def decode(self, features: list[Tensor]) -> Decoded:
        """Logits at the input's size, and the decoder's last feature."""
        embed = self.model.decoder(features)  # type: ignore[operator]
        return Decoded(self.model.segmentation_head(embed), embed)  # type: ignore[operator]

    def output_bias(self) -> Tensor:
        """Bias of the segmentation head's convolution, one value a channel."""
        return self.model.segmentation_head[0].bias  # type: ignore[index, union-attr, return-value]

    def encoder_parameters(self) -> Iterator[Parameter]:
        """The parameters of SMP's encoder."""
        return self.model.encoder.parameters()  # type: ignore[union-attr, return-value]


class Nothing(nn.Module):
    """Stands where a module was taken out whose output nobody used."""

    def forward(self, x: Any, *_: Any, **__: Any) -> Any:
        """What it was given first."""
        return x

    def _load_from_state_dict(self, *_: Any, **__: Any) -> None:
        """Passes over the weights of what was taken out: files of whole encoders and of earlier runs hold them."""


class Parts(nn.Module):
    """A decoder of ours on an SMP encoder, in the shape of an SMP model.

    Args:
        encoder: with its weights.
        decoder: started afresh here.
        segmentation_head: makes the logits; its last layer is a convolution.
        auxiliary_heads: make coarser logits.
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, segmentation_head: nn.Module, auxiliary_heads: Sequence[nn.Module]
    ) -> None:
        from segmentation_models_pytorch.base import initialization

        super().__init__()
        self.encoder, self.decoder, self.segmentation_head = encoder, decoder, segmentation_head
        self.auxiliary_heads = nn.ModuleList(auxiliary_heads)
        initialization.initialize_decoder(decoder)
        for head in (segmentation_head, *auxiliary_heads):
            initialization.initialize_head(head)


def build(
    architecture: str, config: EncoderConfig, num_classes: int, size: tuple[int, int] | None, **options: Any
) -> SmpNetwork:
    """An SMP architecture (`Unet`, `UnetPlusPlus` ...) with the configured encoder and its weights.

    Args:
        architecture: the name of its class.
        config: of the encoder.
        num_classes: output channels.
        size: `(height, width)` of the images, for encoders that are made for one size.
        options: further arguments of the class.

    Raises:
        ConfigError: the encoder does not exist, the decoder does not fit it, or the image size does not.
        WeightsError: the pretrained weights cannot be had, or do not fit.
    """
    import segmentation_models_pytorch as smp

    def make(extra: dict[str, Any]) -> nn.Module:
        return getattr(smp, architecture)(
            encoder_name=config.encoder, encoder_depth=config.depth, in_channels=config.channels,
            encoder_weights=None, classes=num_classes, **options, **extra,
        )  # fmt: skip

    def remake(name: str, weights: Any, extra: dict[str, Any]) -> nn.Module:
        return encoder(config, name, weights, output_stride=options.get("encoder_output_stride", 32), **extra)

    return assemble(architecture, config, make, remake, size=size)


def encoder(config: EncoderConfig, name: str, weights: Any, **options: Any) -> nn.Module:
    """SMP's encoder `name` for a configuration's depth and channels; `weights` as SMP takes them."""
    import segmentation_models_pytorch as smp

    return smp.encoders.get_encoder(name, config.channels, config.depth, weights, **options)


def assemble(
    title: str,
    config: EncoderConfig,
    make: Make,
    remake: Remake,
    *,
    size: tuple[int, int] | None,
    kind: type[SmpNetwork] = SmpNetwork,
) -> SmpNetwork:
    """A network that is known to work: weights loaded, norms chosen, and its output of the image's size.

    Args:
        title: what errors call the architecture.
        config: of the encoder.
        make: builds the modules from scratch.
        remake: builds the encoder alone, with weights of a hub in it.
        size: `(height, width)` of the images, for encoders that are made for one size.
        kind: the network's class.

    Raises:
        ConfigError: the encoder does not exist, the decoder does not fit it, or the image size does not.
        WeightsError: the pretrained weights cannot be had, or do not fit.
    """
    _check_encoder(config.encoder)
    fault: Exception | None = None
    for extra in _dry.size_options(config.encoder, size):
        try:
            network = kind(make(extra), config.multiple, config.least)
            pooled = _dry.run(network, config, size)
            idle = _trim(network, config, size)
        except _MISFITS as error:
            fault = error
            continue
        _finish(network, config, pooled, idle, lambda name, weights, extra=extra: remake(name, weights, extra))
        return network
    assert fault is not None
    raise _unfit(title, config, fault)


def _trim(network: SmpNetwork, config: EncoderConfig, size: tuple[int, int] | None) -> list[str]:
    """Take out what the encoder holds and never uses; the names of those modules.

    SMP keeps all stages of an encoder, whatever its depth: 10.5 of the 11.2 million weights of a ResNet-18 of depth 3.
    """
    encoder: nn.Module = network.model.encoder  # type: ignore[assignment]
    if config.depth == _DEEPEST:
        return []
    idle = {name: encoder.get_submodule(name) for name in _dry.idle(network, encoder, config, size)}
    if not idle:
        return []
    for name in idle:
        encoder.set_submodule(name, Nothing())
    try:
        _dry.run(network, config, size)
    except (AttributeError, IndexError, *_MISFITS):
        # An encoder that looks into its idle stages while it runs the others keeps them.
        for name, module in idle.items():
            encoder.set_submodule(name, module)
        return []
    return list(idle)


def _finish(
    network: SmpNetwork,
    config: EncoderConfig,
    pooled: set[nn.Module],
    idle: list[str],
    remake: Callable[[str, Any], nn.Module],
) -> None:
    """Load the weights and choose the norms."""
    named, state = config.weights, None
    if named is not None and _weights.is_file(named):
        state = _weights.read(Path(named))
    # Weights of a run with the same norms have no running statistics; those of the hubs have, and go in before.
    early = state is not None and not any(name.endswith("running_mean") for name in state)
    _norms.replace(network.model.decoder, "batch", pooled)  # type: ignore[arg-type]
    if early and config.norm != "batch":
        _norms.replace(network, config.norm, pooled)
    inner: nn.Module = network.model.encoder  # type: ignore[assignment]
    if state is not None:
        _weights.place(inner, state, config.channels, name=config.encoder, path=Path(named or ""), idle=idle)
    elif named is not None:
        name, kind = config.encoder, named
        if name.startswith("tu-"):
            name, kind = _weights.hub_name(name, named), True
        inner.load_state_dict(_weights.fetched(config.encoder, named, partial(remake, name, kind)))
    if not early and config.norm != "batch":
        _norms.replace(network, config.norm, pooled)


def _unfit(title: str, config: EncoderConfig, fault: Exception) -> Exception:
    """The error that says why an architecture and an encoder do not go together."""
    if isinstance(fault, ConfigError):
        return fault
    said = _weights.first_line(fault)
    if config.multiple < 2**config.depth and re.search("output_stride|dilat|AssertionError|Only strided", said):
        return ConfigError(
            f"{title} needs an encoder that can be dilated",
            config.encoder,
            "choose a resnet, resnest, regnet, efficientnet, mobilenet or convnext, or a decoder for any encoder "
            "(unetplusplus, fpn, upernet)",
        )
    fix = "choose another encoder, depth or decoder width"
    if "downsampling pattern" in said:
        fix = "choose an encoder whose stages halve the image; plain vision transformers go with model.name=dpt"
    return ConfigError(f"{title} cannot be built on encoder {config.encoder}", said, fix)


def _check_encoder(name: str) -> None:
    from segmentation_models_pytorch.encoders import get_encoder_names
    from timm import list_models

    known = [*get_encoder_names(), *(f"tu-{model}" for model in list_models())]
    if name.split(".")[0] not in known:
        raise ConfigError("no encoder has this name", name, nearest(name, known) if len(name) > 2 else "try resnet34")
