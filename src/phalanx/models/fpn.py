"""FPN: a top-down pyramid of features, its levels summed at a quarter of the image's size.

Source: Kirillov et al. 2019, https://arxiv.org/abs/1901.02446, section 3.
Differs: any pretrained encoder (by SMP); with fewer than five stages the levels are finer, by as many octaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from phalanx.models._encoder import EncoderConfig

if TYPE_CHECKING:
    from phalanx.models._smp import SmpNetwork


class Fpn:
    """Builds a Fpn; torch is imported when it does."""

    class Config(EncoderConfig):
        """See `EncoderConfig`.

        Args:
            pyramid_channels: of the top-down pathway.
            decoder_channels: of what the head sees; a multiple of 32, the groups of its norms.
            dropout: share of these channels that is dropped in training.
        """

        name: Literal["fpn"] = "fpn"
        pyramid_channels: int = Field(default=256, ge=1)
        decoder_channels: int = Field(default=128, ge=32, multiple_of=32)
        dropout: float = Field(default=0.2, ge=0, lt=1)

    def __init__(self, config: Config) -> None:
        self.config = config

    def build(self, num_classes: int, size: tuple[int, int] | None = None) -> SmpNetwork:
        """The network with `num_classes` output channels, for images of `size` `(height, width)`."""
        from phalanx.models import _smp

        options = {
            "decoder_pyramid_channels": self.config.pyramid_channels,
            "decoder_segmentation_channels": self.config.decoder_channels,
            "decoder_dropout": self.config.dropout,
            "upsampling": 2 ** (self.config.depth - 3),
        }
        return _smp.build("FPN", self.config, num_classes, size, **options)
