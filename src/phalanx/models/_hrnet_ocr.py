"""The OCR head: regions of the classes, their representations, and the attention of the pixels to them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from phalanx.models import _smp
from phalanx.models._base import Decoded
from phalanx.models._encoder import EncoderConfig
from phalanx.models._layers import ConvNormRelu


def regions(pixels: Tensor, logits: Tensor) -> Tensor:
    """What each class looks like in its image: the mean of the pixels, weighted by where the class is.

    Args:
        pixels: `(b, e, h, w)` representations.
        logits: `(b, c, h, w)` coarse logits; their softmax over the pixels of a class weighs them.

    Returns:
        `(b, e, c, 1)`.
    """
    weights = logits.flatten(2).float().softmax(2).to(pixels.dtype)
    return torch.einsum("ben,bcn->bec", pixels.flatten(2), weights)[..., None]


class ObjectAttention(nn.Module):
    """Each pixel's mixture of the classes' representations, by how alike they are.

    Args:
        channels: of pixels and classes.
        keys: channels in which they are compared.
    """

    def __init__(self, channels: int, keys: int) -> None:
        super().__init__()
        self.query = nn.Sequential(ConvNormRelu(channels, keys, 1), ConvNormRelu(keys, keys, 1))
        self.key = nn.Sequential(ConvNormRelu(channels, keys, 1), ConvNormRelu(keys, keys, 1))
        self.value = ConvNormRelu(channels, keys, 1)
        self.rise = ConvNormRelu(keys, channels, 1)

    def forward(self, pixels: Tensor, objects: Tensor) -> Tensor:
        """Context `(b, e, h, w)` of pixels `(b, e, h, w)` and classes `(b, e, c, 1)`."""
        query, key, value = self.query(pixels), self.key(objects).flatten(2), self.value(objects).flatten(2)
        alike = torch.einsum("bkhw,bkc->bchw", query, key) * key.shape[1] ** -0.5
        context = torch.einsum("bchw,bkc->bkhw", alike.float().softmax(1).to(value.dtype), value)
        return self.rise(context)


class Decoder(nn.Module):
    """The four resolutions of an HRNet side by side, then object context.

    Args:
        stacked: channels of the four resolutions together.
        channels: of the pixels' representations.
        keys: see `ObjectAttention`.
        dropout: share of the joined features that is dropped in training.
    """

    def __init__(self, stacked: int, channels: int, keys: int, dropout: float) -> None:
        super().__init__()
        self.pixels = ConvNormRelu(stacked, channels)
        self.attention = ObjectAttention(channels, keys)
        self.join = nn.Sequential(ConvNormRelu(2 * channels, channels, 1), nn.Dropout2d(dropout))

    def forward(self, stacked: Tensor, logits: Tensor) -> Tensor:
        """Features `(b, e, h, w)` of the stacked resolutions and the coarse logits of them."""
        pixels = self.pixels(stacked)
        return self.join(torch.cat([self.attention(pixels, regions(pixels, logits)), pixels], 1))


class HrnetOcrNetwork(_smp.SmpNetwork):
    """HRNet with an OCR head behind the seam; the coarse logits are its pyramid."""

    def decode(self, features: list[Tensor]) -> Decoded:
        """Logits, and in training the coarse ones that they were made with."""
        model: Any = self.model
        image, _, finest, *coarser = features
        risen = (_resized(feature, finest) for feature in coarser)
        stacked = torch.cat([finest, *risen], 1)
        coarse = model.auxiliary_heads[0](stacked)
        embed = model.decoder(stacked, coarse)
        logits = _resized(model.segmentation_head(embed), image)
        return Decoded(logits, embed, (_resized(coarse, image),) if self.training else ())

    def auxiliary_biases(self) -> list[Tensor]:
        """Of the coarse head."""
        return [self.model.auxiliary_heads[0][-1].bias]  # type: ignore[index, union-attr, list-item]


def _resized(feature: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(feature, size=like.shape[-2:], mode="bilinear", align_corners=False)


def build(
    config: EncoderConfig, num_classes: int, size: tuple[int, int] | None, *, channels: int, keys: int, dropout: float
) -> _smp.SmpNetwork:
    """See `HrnetOcr`; `channels` and `keys` of the decoder."""

    def make(extra: dict[str, Any]) -> nn.Module:
        encoder = remake(config.encoder, None, extra)
        branches: list[int] = encoder.out_channels[2:]  # type: ignore[index, assignment]
        stacked = sum(branches)
        decoder = Decoder(stacked, channels, keys, dropout)
        coarse = nn.Sequential(ConvNormRelu(stacked, stacked, 1), nn.Conv2d(stacked, num_classes, 1))
        head = nn.Sequential(nn.Conv2d(channels, num_classes, 1))
        return _smp.Parts(encoder, decoder, head, [coarse])

    def remake(name: str, weights: Any, extra: dict[str, Any]) -> nn.Module:
        # The branches themselves; by default timm gives them widened for its classifier.
        return _smp.encoder(config, name, weights, feature_location="", **extra)

    return _smp.assemble("HRNet with OCR", config, make, remake, size=size, kind=HrnetOcrNetwork)
