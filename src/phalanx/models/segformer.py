"""SegFormer's decoder: each scale's features through one linear layer, stacked at a quarter of the image's size.

Source: Xie et al. 2021, https://arxiv.org/abs/2105.15203, section 3.2.
Differs: any pretrained encoder, `mit_b0` to `mit_b5` are the paper's; features of half the image's size are used where
there are any; no dropout (all by SMP).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from phalanx.models._encoder import EncoderConfig

if TYPE_CHECKING:
    from phalanx.models._smp import SmpNetwork


class SegFormer:
    """Builds a SegFormer; torch is imported when it does."""

    class Config(EncoderConfig):
        """See `EncoderConfig`.

        Args:
            decoder_channels: of every scale's linear layer.
        """

        name: Literal["segformer"] = "segformer"
        decoder_channels: int = Field(default=256, ge=1)

    def __init__(self, config: Config) -> None:
        self.config = config

    def build(self, num_classes: int, size: tuple[int, int] | None = None) -> SmpNetwork:
        """The network with `num_classes` output channels, for images of `size` `(height, width)`."""
        from phalanx.models import _smp

        options = {"decoder_segmentation_channels": self.config.decoder_channels}
        return _smp.build("Segformer", self.config, num_classes, size, **options)
