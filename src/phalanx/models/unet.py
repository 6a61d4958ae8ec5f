"""U-Net: an encoder, and a decoder that takes each scale's features back in.

Source: Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597.
Differs: any pretrained encoder, padding instead of cropping, batch normalisation (all by SMP).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from phalanx.models._encoder import LadderConfig

if TYPE_CHECKING:
    from phalanx.models._smp import SmpNetwork


class Unet:
    """Builds a Unet; torch is imported when it does."""

    class Config(LadderConfig):
        """See `LadderConfig`."""

        name: Literal["unet"] = "unet"

    def __init__(self, config: Config) -> None:
        self.config = config

    def build(self, num_classes: int, size: tuple[int, int] | None = None) -> SmpNetwork:
        """The network with `num_classes` output channels, for images of `size` `(height, width)`."""
        from phalanx.models import _smp

        options = {"decoder_channels": self.config.decoder_channels}
        return _smp.build("Unet", self.config, num_classes, size, **options)
