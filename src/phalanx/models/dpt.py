"""DPT: a vision transformer's tokens put together into a pyramid of features, fused coarse to fine.

Source: Ranftl et al. 2021, https://arxiv.org/abs/2103.13413.
Differs: any vision transformer of timm with patches of 16 or 8 pixels (by SMP).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from phalanx.models._encoder import EncoderConfig

if TYPE_CHECKING:
    from phalanx.models._smp import SmpNetwork


class Dpt:
    """Builds a DPT; torch is imported when it does."""

    class Config(EncoderConfig):
        """See `EncoderConfig`.

        Args:
            encoder: a vision transformer of timm, `tu-vit_...`.
            depth: how many of its blocks, evenly spread, give features.
            readout: what becomes of the class token: stacked onto each feature (`cat`), added, or ignored.
            widths: channels of the features before they are fused, fine to coarse.
            decoder_channels: of what the head sees.
        """

        name: Literal["dpt"] = "dpt"
        encoder: str = "tu-vit_base_patch16_224"
        depth: int = Field(default=4, ge=4, le=4)
        readout: Literal["cat", "add", "ignore"] = "cat"
        widths: tuple[int, int, int, int] = (256, 512, 1024, 1024)
        decoder_channels: int = Field(default=256, ge=1)

        @property
        def multiple(self) -> int:
            """Pixels that the height and the width of an image must be divisible by."""
            return 32

    def __init__(self, config: Config) -> None:
        self.config = config

    def build(self, num_classes: int, size: tuple[int, int] | None = None) -> SmpNetwork:
        """The network with `num_classes` output channels, for images of `size` `(height, width)`."""
        from phalanx.models import _dpt

        options = {
            "decoder_readout": self.config.readout,
            "decoder_intermediate_channels": self.config.widths,
            "decoder_fusion_channels": self.config.decoder_channels,
        }
        return _dpt.build(self.config, num_classes, size, **options)
