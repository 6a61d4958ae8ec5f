"""DeepLabV3+: DeepLabV3, and a decoder that takes features of a quarter of the image's size back in.

Source: Chen et al. 2018, https://arxiv.org/abs/1802.02611.
Differs: any encoder that can be dilated (by SMP).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from phalanx.models._encoder import AtrousConfig

if TYPE_CHECKING:
    from phalanx.models._smp import SmpNetwork


class DeepLabV3Plus:
    """Builds a DeepLabV3Plus; torch is imported when it does."""

    class Config(AtrousConfig):
        """See `AtrousConfig`."""

        name: Literal["deeplabv3plus"] = "deeplabv3plus"

    def __init__(self, config: Config) -> None:
        self.config = config

    def build(self, num_classes: int, size: tuple[int, int] | None = None) -> SmpNetwork:
        """The network with `num_classes` output channels, for images of `size` `(height, width)`."""
        from phalanx.models import _smp

        return _smp.build("DeepLabV3Plus", self.config, num_classes, size, **self.config.options)
