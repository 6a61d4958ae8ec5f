"""HRNet with object-contextual representations: each pixel looks at what the classes look like in this very image.

Source: Yuan et al. 2020, https://arxiv.org/abs/1909.11065, section 3; HRNet: Wang et al. 2020,
https://arxiv.org/abs/1908.07919.
Differs: the region of a class is the softmax of its coarse logits over the pixels whether classes overlap or exclude
each other; the coarse head's loss is the method's (`method.auxiliary`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from phalanx.models._encoder import EncoderConfig

if TYPE_CHECKING:
    from phalanx.models._smp import SmpNetwork


class HrnetOcr:
    """Builds an HRNet with an OCR head; torch is imported when it does."""

    class Config(EncoderConfig):
        """See `EncoderConfig`.

        Args:
            encoder: an HRNet of timm, `tu-hrnet_w18` to `tu-hrnet_w64`.
            decoder_channels: of the pixels' representations, and of what the head sees.
            key_channels: in which pixels and classes are compared.
            dropout: share of the joined features that is dropped in training.
        """

        name: Literal["hrnet_ocr"] = "hrnet_ocr"
        encoder: str = Field(default="tu-hrnet_w48", pattern=r"^tu-hrnet_")
        depth: int = Field(default=5, ge=5, le=5)
        decoder_channels: int = Field(default=512, ge=1)
        key_channels: int = Field(default=256, ge=1)
        dropout: float = Field(default=0.05, ge=0, lt=1)

    def __init__(self, config: Config) -> None:
        self.config = config

    def build(self, num_classes: int, size: tuple[int, int] | None = None) -> SmpNetwork:
        """The network with `num_classes` output channels, for images of `size` `(height, width)`."""
        from phalanx.models import _hrnet_ocr

        config = self.config
        options = {"channels": config.decoder_channels, "keys": config.key_channels, "dropout": config.dropout}
        return _hrnet_ocr.build(config, num_classes, size, **options)
