"""UPerNet: a feature pyramid below a pyramid pooling of the coarsest features.

Source: Xiao et al. 2018, https://arxiv.org/abs/1807.10221.
Differs: the segmentation head alone; any pretrained encoder, its features normalised first (all by SMP).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from phalanx.models._encoder import EncoderConfig

if TYPE_CHECKING:
    from phalanx.models._smp import SmpNetwork


class UperNet:
    """Builds a UperNet; torch is imported when it does."""

    class Config(EncoderConfig):
        """See `EncoderConfig`.

        Args:
            decoder_channels: of every level of the pyramid.
        """

        name: Literal["upernet"] = "upernet"
        decoder_channels: int = Field(default=256, ge=1)

    def __init__(self, config: Config) -> None:
        self.config = config

    def build(self, num_classes: int, size: tuple[int, int] | None = None) -> SmpNetwork:
        """The network with `num_classes` output channels, for images of `size` `(height, width)`."""
        from phalanx.models import _smp

        options = {"decoder_channels": self.config.decoder_channels}
        return _smp.build("UPerNet", self.config, num_classes, size, **options)
