"""PAN: attention over a small pyramid of the coarsest features guides the finer ones.

Source: Li et al. 2018, https://arxiv.org/abs/1805.10180.
Differs: any pretrained encoder (by SMP).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from phalanx.models._encoder import EncoderConfig

if TYPE_CHECKING:
    from phalanx.models._smp import SmpNetwork


class Pan:
    """Builds a Pan; torch is imported when it does."""

    class Config(EncoderConfig):
        """See `EncoderConfig`; the image must be at least 16 output strides high and wide.

        Args:
            output_stride: pixels of the image to a pixel of the coarsest features; 32: no dilation, for any encoder.
            decoder_channels: of what the head sees.
        """

        name: Literal["pan"] = "pan"
        output_stride: Literal[16, 32] = 16
        decoder_channels: int = Field(default=32, ge=1)

        @property
        def multiple(self) -> int:
            """Pixels that the height and the width of an image must be divisible by."""
            return min(self.output_stride, 2**self.depth)

        @property
        def least(self) -> int:
            """Pixels that an image must be high and wide: the attention halves the coarsest features thrice."""
            return 16 * self.multiple

    def __init__(self, config: Config) -> None:
        self.config = config

    def build(self, num_classes: int, size: tuple[int, int] | None = None) -> SmpNetwork:
        """The network with `num_classes` output channels, for images of `size` `(height, width)`."""
        from phalanx.models import _smp

        options = {"encoder_output_stride": self.config.output_stride, "decoder_channels": self.config.decoder_channels}
        return _smp.build("PAN", self.config, num_classes, size, **options)
