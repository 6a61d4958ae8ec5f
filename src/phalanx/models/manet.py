"""MA-Net: a U-Net whose decoder weighs positions and channels by attention.

Source: Fan et al. 2020, https://doi.org/10.1109/ACCESS.2020.3025372.
Differs: any pretrained encoder (by SMP).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from phalanx.models._encoder import LadderConfig

if TYPE_CHECKING:
    from phalanx.models._smp import SmpNetwork


class MAnet:
    """Builds a MAnet; torch is imported when it does."""

    class Config(LadderConfig):
        """See `LadderConfig`.

        Args:
            attention_channels: of the position-wise attention at the coarsest scale.
        """

        name: Literal["manet"] = "manet"
        attention_channels: int = Field(default=64, ge=1)

    def __init__(self, config: Config) -> None:
        self.config = config

    def build(self, num_classes: int, size: tuple[int, int] | None = None) -> SmpNetwork:
        """The network with `num_classes` output channels, for images of `size` `(height, width)`."""
        from phalanx.models import _smp

        options = {
            "decoder_channels": self.config.decoder_channels,
            "decoder_pab_channels": self.config.attention_channels,
        }
        return _smp.build("MAnet", self.config, num_classes, size, **options)
