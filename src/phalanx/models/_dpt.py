"""SMP's DPT behind the seam: the features of the seam are those that its decoder puts together of the tokens."""

from __future__ import annotations

import re
import warnings
from typing import Any

from torch import Tensor, nn

from phalanx.core.errors import ConfigError
from phalanx.models import _smp
from phalanx.models._base import Decoded
from phalanx.models._encoder import EncoderConfig


class DptNetwork(_smp.SmpNetwork):
    """A transformer's features all have one size; the seam lies where they have become a pyramid."""

    def encode(self, x: Tensor) -> list[Tensor]:
        """Features at 1/4, 1/8, 1/16 and 1/32 of images `(b, k, h, w)`."""
        features, tokens = self.encoded(x)
        decoder: Any = self.model.decoder
        read = (block(*pair) for block, *pair in zip(decoder.projection_blocks, features, tokens, strict=True))
        return [block(feature) for block, feature in zip(decoder.reassemble_blocks, read, strict=True)]

    def decode(self, features: list[Tensor]) -> Decoded:
        """Logits at the input's size, and the finest fused feature."""
        embed = None
        for block, feature in zip(self.model.decoder.fusion_blocks, reversed(features), strict=True):  # type: ignore[union-attr, arg-type]
            embed = block(feature, embed)
        assert embed is not None
        return Decoded(self.model.segmentation_head(embed), embed)  # type: ignore[operator]

    def output_bias(self) -> Tensor:
        """Bias of the head's last convolution, one value a channel."""
        return self.model.segmentation_head.head[-1].bias  # type: ignore[index, union-attr, return-value]


def build(config: EncoderConfig, num_classes: int, size: tuple[int, int] | None, **options: Any) -> _smp.SmpNetwork:
    """See `Dpt.build`; `options` are further arguments of SMP's class."""
    import segmentation_models_pytorch as smp
    from segmentation_models_pytorch.encoders import TimmViTEncoder

    if not config.encoder.startswith("tu-"):
        raise ConfigError("DPT needs a vision transformer of timm", config.encoder, "try tu-vit_base_patch16_224")

    patch = re.search(r"patch(\d+)", config.encoder)
    if patch and 32 % int(patch[1]):
        raise ConfigError(
            "DPT takes transformers whose patches are 8, 16 or 32 pixels wide",
            config.encoder,
            "choose one with patch16",
        )

    def make(extra: dict[str, Any]) -> nn.Module:
        with warnings.catch_warnings():
            # A transformer without a class token has nothing to read out, whatever `readout` says.
            warnings.filterwarnings("ignore", message=".*prefix tokens.*")
            return smp.DPT(
                encoder_name=config.encoder, encoder_depth=config.depth, encoder_weights=None,
                in_channels=config.channels, classes=num_classes, **options, **extra,
            )  # fmt: skip

    def remake(name: str, weights: bool, extra: dict[str, Any]) -> nn.Module:
        return TimmViTEncoder(name.removeprefix("tu-"), weights, config.channels, config.depth, **extra)

    return _smp.assemble("DPT", config, make, remake, size=size, kind=DptNetwork)
