"""PSPNet: the coarsest features, pooled over 1, 2, 3 and 6 cells a side and stacked.

Source: Zhao et al. 2017, https://arxiv.org/abs/1612.01105.
Differs: strides instead of dilation; no auxiliary loss; any pretrained encoder (all by SMP).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from phalanx.models._encoder import EncoderConfig

if TYPE_CHECKING:
    from phalanx.models._smp import SmpNetwork


class PspNet:
    """Builds a PspNet; torch is imported when it does."""

    class Config(EncoderConfig):
        """See `EncoderConfig`.

        Args:
            depth: stages of the encoder; the features are 2 to this power coarser than the image.
            decoder_channels: of what the head sees.
            dropout: share of these channels that is dropped in training.
        """

        name: Literal["pspnet"] = "pspnet"
        depth: int = Field(default=3, ge=3, le=5)
        decoder_channels: int = Field(default=512, ge=1)
        dropout: float = Field(default=0.2, ge=0, lt=1)

    def __init__(self, config: Config) -> None:
        self.config = config

    def build(self, num_classes: int, size: tuple[int, int] | None = None) -> SmpNetwork:
        """The network with `num_classes` output channels, for images of `size` `(height, width)`."""
        from phalanx.models import _smp

        options = {
            "psp_out_channels": self.config.decoder_channels,
            "psp_dropout": self.config.dropout,
            "upsampling": 2**self.config.depth,
        }
        return _smp.build("PSPNet", self.config, num_classes, size, **options)
