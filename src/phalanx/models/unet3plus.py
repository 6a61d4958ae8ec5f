"""UNet 3+: every scale of the decoder sees all scales, finer ones of the encoder and coarser ones of the decoder.

Source: Huang et al. 2020, https://arxiv.org/abs/2004.08790, sections 2.1 and 2.2.
Differs: any pretrained encoder, whose finest features are of half the image's size or less, so the logits are enlarged;
no classification-guided module; the heads of deep supervision give logits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from phalanx.models._encoder import EncoderConfig

if TYPE_CHECKING:
    from phalanx.models._smp import SmpNetwork


class Unet3Plus:
    """Builds a UNet 3+; torch is imported when it does."""

    class Config(EncoderConfig):
        """See `EncoderConfig`.

        Args:
            width: channels of each scale at each scale; the decoder has this times the number of scales.
            deep_supervision: every scale has a head, its logits in the pyramid; the method weighs their losses.
        """

        name: Literal["unet3plus"] = "unet3plus"
        width: int = Field(default=64, ge=1)
        deep_supervision: bool = True

    def __init__(self, config: Config) -> None:
        self.config = config

    def build(self, num_classes: int, size: tuple[int, int] | None = None) -> SmpNetwork:
        """The network with `num_classes` output channels, for images of `size` `(height, width)`."""
        from phalanx.models import _unet3plus

        options = {"width": self.config.width, "deep_supervision": self.config.deep_supervision}
        return _unet3plus.build(self.config, num_classes, size, **options)
