"""DeepLabV3: dilated convolutions of several rates over finely kept features.

Source: Chen et al. 2017, https://arxiv.org/abs/1706.05587.
Differs: any encoder that can be dilated (by SMP).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from phalanx.models._encoder import DilatedConfig

if TYPE_CHECKING:
    from phalanx.models._smp import SmpNetwork


class DeepLabV3:
    """Builds a DeepLabV3; torch is imported when it does."""

    class Config(DilatedConfig):
        """See `DilatedConfig`.

        Args:
            decoder_channels: of what the head sees.
            rates: dilation of the three parallel convolutions.
            dropout: share of the joined features that is dropped in training.
        """

        name: Literal["deeplabv3"] = "deeplabv3"
        output_stride: Literal[8, 16] = 8
        decoder_channels: int = Field(default=256, ge=1)
        rates: tuple[int, int, int] = (12, 24, 36)
        dropout: float = Field(default=0.5, ge=0, lt=1)

    def __init__(self, config: Config) -> None:
        self.config = config

    def build(self, num_classes: int, size: tuple[int, int] | None = None) -> SmpNetwork:
        """The network with `num_classes` output channels, for images of `size` `(height, width)`."""
        from phalanx.models import _smp

        options = {
            "encoder_output_stride": self.config.output_stride,
            "decoder_channels": self.config.decoder_channels,
            "decoder_atrous_rates": self.config.rates,
            "decoder_aspp_dropout": self.config.dropout,
        }
        return _smp.build("DeepLabV3", self.config, num_classes, size, **options)
