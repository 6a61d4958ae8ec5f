"""The decoder of UNet 3+: full-scale skip connections and a head at every scale."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from phalanx.models import _smp
from phalanx.models._base import Decoded
from phalanx.models._encoder import EncoderConfig
from phalanx.models._layers import ConvNormRelu


class Fusion(nn.Module):
    """One scale of the decoder: every other scale brought to its size, `width` channels of each, joined.

    Args:
        scale: which, 0 the finest.
        inputs: channels of the features of every scale, fine to coarse: up to this one the encoder's, beyond it the
            decoder's.
        width: channels kept of each.
    """

    def __init__(self, scale: int, inputs: list[int], width: int) -> None:
        super().__init__()
        self.scale = scale
        self.branches = nn.ModuleList(ConvNormRelu(channels, width) for channels in inputs)
        self.join = ConvNormRelu(width * len(inputs), width * len(inputs))

    def forward(self, *features: Tensor) -> Tensor:
        """The scale's decoder features, of features of every scale, fine to coarse."""
        size = features[self.scale].shape[-2:]
        reached = [
            branch(self._resized(feature, scale, size))
            for scale, (branch, feature) in enumerate(zip(self.branches, features, strict=True))
        ]
        return self.join(torch.cat(reached, 1))

    def _resized(self, feature: Tensor, scale: int, size: torch.Size) -> Tensor:
        if scale < self.scale:
            return functional.max_pool2d(feature, 2 ** (self.scale - scale))
        if scale > self.scale:
            return functional.interpolate(feature, size=size, mode="bilinear", align_corners=False)
        return feature


class Decoder(nn.Module):
    """The decoder's scales, coarse to fine.

    Args:
        channels: of the encoder's features, fine to coarse.
        width: see `Fusion`.
    """

    def __init__(self, channels: list[int], width: int) -> None:
        super().__init__()
        count = len(channels)
        self.fused = width * count
        # The coarsest scale of the decoder is the encoder's.
        self.fusions = nn.ModuleList(
            Fusion(scale, [*channels[: scale + 1], *[self.fused] * (count - 2 - scale), channels[-1]], width)
            for scale in reversed(range(count - 1))
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Decoder features of every scale, fine to coarse, of the encoder's."""
        decoded = [features[-1]]
        for fusion in self.fusions:
            decoded.insert(0, fusion(*features[: len(features) - len(decoded)], *decoded))
        return decoded


class Unet3PlusNetwork(_smp.SmpNetwork):
    """UNet 3+ behind the seam."""

    def decode(self, features: list[Tensor]) -> Decoded:
        """Logits of the finest scale, and in training those of every coarser one."""
        model: Any = self.model
        image, *scales = features
        decoded = model.decoder([feature for feature in scales if feature.shape[1]])
        heads = (model.segmentation_head, *model.auxiliary_heads) if self.training else (model.segmentation_head,)
        logits, *coarser = [
            functional.interpolate(head(feature), size=image.shape[-2:], mode="bilinear", align_corners=False)
            for head, feature in zip(heads, decoded, strict=False)
        ]
        return Decoded(logits, decoded[0], tuple(coarser))

    def auxiliary_biases(self) -> list[Tensor]:
        """Of the heads at the coarser scales, fine to coarse."""
        return [head[0].bias for head in self.model.auxiliary_heads]  # type: ignore[union-attr, index, return-value]


def build(
    config: EncoderConfig, num_classes: int, size: tuple[int, int] | None, *, width: int, deep_supervision: bool
) -> _smp.SmpNetwork:
    """See `Unet3Plus`."""

    def make(extra: dict[str, Any]) -> nn.Module:
        encoder = _smp.encoder(config, config.encoder, None, **extra)
        channels: list[int] = [count for count in encoder.out_channels[1:] if count]  # type: ignore[index, union-attr]
        decoder = Decoder(channels, width)
        widths = [decoder.fused] * (len(channels) - 1) + [channels[-1]]
        head, *coarser = [nn.Sequential(nn.Conv2d(width, num_classes, 3, padding=1)) for width in widths]
        return _smp.Parts(encoder, decoder, head, coarser if deep_supervision else [])

    def remake(name: str, weights: Any, extra: dict[str, Any]) -> nn.Module:
        return _smp.encoder(config, name, weights, **extra)

    return _smp.assemble("UNet 3+", config, make, remake, size=size, kind=Unet3PlusNetwork)
