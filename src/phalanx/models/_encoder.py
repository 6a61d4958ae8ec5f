"""What every encoder-decoder network takes. Light on purpose: a typo must be found before torch loads."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from phalanx.core.catalogue import Strict


class EncoderConfig(Strict):
    """The encoder of a network.

    Args:
        encoder: an encoder of SMP (`resnet34`, `densenet201`) or any of timm's after `tu-` (`tu-hrnet_w48`).
        weights: pretrained weights by name (`imagenet`; of a `tu-` encoder also a tag of timm's hub, `fb_in22k`), a
            file (`.safetensors`, `.pth`), or null: from scratch.
        channels: image channels, 1 (grey) or 3 (colour).
        depth: stages of the encoder, each half the size of the one before.
        norm: `batch`; or `group` or `instance`, which look at one image alone: for small batches and mixed data sets,
            from scratch.
    """

    encoder: str = "resnet34"
    weights: str | None = "imagenet"
    channels: Literal[1, 3] = 3
    depth: int = Field(default=5, ge=3, le=5)
    norm: Literal["batch", "group", "instance"] = "batch"

    @property
    def multiple(self) -> int:
        """Pixels that the height and the width of an image must be divisible by."""
        return 2**self.depth

    @property
    def least(self) -> int:
        """Pixels that an image must be high and wide."""
        return self.multiple


class LadderConfig(EncoderConfig):
    """The encoder, and a decoder that climbs back stage by stage.

    Args:
        decoder_channels: one width a decoder stage, coarse to fine; as many as `depth`.
    """

    decoder_channels: tuple[int, ...] = (256, 128, 64, 32, 16)


class DilatedConfig(EncoderConfig):
    """An encoder whose last stages are dilated instead of strided.

    Args:
        output_stride: pixels of the image to a pixel of the coarsest features.
    """

    output_stride: Literal[8, 16] = 16

    @property
    def multiple(self) -> int:
        """Pixels that the height and the width of an image must be divisible by."""
        return min(self.output_stride, 2**self.depth)
