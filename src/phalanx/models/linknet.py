"""LinkNet: a light decoder that adds each scale's features instead of stacking them.

Source: Chaurasia & Culurciello 2017, https://arxiv.org/abs/1707.03718.
Differs: any pretrained encoder (by SMP).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from phalanx.models._encoder import EncoderConfig

if TYPE_CHECKING:
    from phalanx.models._smp import SmpNetwork


class Linknet:
    """Builds a Linknet; torch is imported when it does."""

    class Config(EncoderConfig):
        """See `EncoderConfig`."""

        name: Literal["linknet"] = "linknet"

    def __init__(self, config: Config) -> None:
        self.config = config

    def build(self, num_classes: int, size: tuple[int, int] | None = None) -> SmpNetwork:
        """The network with `num_classes` output channels, for images of `size` `(height, width)`."""
        from phalanx.models import _smp

        return _smp.build("Linknet", self.config, num_classes, size)
