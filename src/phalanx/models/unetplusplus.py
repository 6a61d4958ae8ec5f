"""UNet++: nested skip connections between the encoder's scales and the decoder's.

Source: Zhou et al. 2018, https://arxiv.org/abs/1807.10165.
Differs: no deep supervision; any pretrained encoder (both by SMP).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from phalanx.models._encoder import LadderConfig

if TYPE_CHECKING:
    from phalanx.models._smp import SmpNetwork


class UnetPlusPlus:
    """Builds a UnetPlusPlus; torch is imported when it does."""

    class Config(LadderConfig):
        """See `LadderConfig`."""

        name: Literal["unetplusplus"] = "unetplusplus"

    def __init__(self, config: Config) -> None:
        self.config = config

    def build(self, num_classes: int, size: tuple[int, int] | None = None) -> SmpNetwork:
        """The network with `num_classes` output channels, for images of `size` `(height, width)`."""
        from phalanx.models import _smp

        options = {"decoder_channels": self.config.decoder_channels}
        return _smp.build("UnetPlusPlus", self.config, num_classes, size, **options)
