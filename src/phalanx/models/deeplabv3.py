"""DeepLabV3: dilated convolutions of several rates over finely kept features.

Source: Chen et al. 2017, https://arxiv.org/abs/1706.05587.
Differs: any encoder that can be dilated (by SMP).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from phalanx.models._encoder import AtrousConfig

if TYPE_CHECKING:
    from phalanx.models._smp import SmpNetwork


class DeepLabV3:
    """Builds a DeepLabV3; torch is imported when it does."""

    class Config(AtrousConfig):
        """See `AtrousConfig`."""

        name: Literal["deeplabv3"] = "deeplabv3"
        output_stride: Literal[8, 16] = 8

    def __init__(self, config: Config) -> None:
        self.config = config

    def build(self, num_classes: int, size: tuple[int, int] | None = None) -> SmpNetwork:
        """The network with `num_classes` output channels, for images of `size` `(height, width)`."""
        from phalanx.models import _smp

        return _smp.build("DeepLabV3", self.config, num_classes, size, **self.config.options)
