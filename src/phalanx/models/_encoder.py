"""What every encoder-decoder network takes. Light on purpose: a typo must be found before torch loads."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from phalanx.core.catalogue import Strict


class EncoderConfig(Strict):
    """The encoder of a network.

    Args:
        encoder: an encoder of SMP (`resnet34`, `densenet201`) or any of timm's after `tu-` (`tu-hrnet_w48`).
        weights: pretrained weights by name (`imagenet`), a file (`.safetensors`, `.pth`), or null: from scratch.
        channels: image channels, 1 (grey) or 3 (colour).
        depth: stages of the encoder; the input must be divisible by 2 to this power.
        norm: `batch`; or `group` or `instance`, which look at one image alone: for small batches and mixed data sets,
            from scratch.
        decoder_channels: one width a decoder stage, coarse to fine; as many as `depth`.
    """

    encoder: str = "resnet34"
    weights: str | None = "imagenet"
    channels: Literal[1, 3] = 3
    depth: int = Field(default=5, ge=3, le=5)
    norm: Literal["batch", "group", "instance"] = "batch"
    decoder_channels: tuple[int, ...] = (256, 128, 64, 32, 16)
