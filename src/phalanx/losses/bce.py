"""Cross-entropy: binary in every channel where classes overlap, categorical where they exclude each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from phalanx.core.labels import LabelSpace
from phalanx.losses._base import Loss, LossConfig

if TYPE_CHECKING:
    from torch import Tensor


class Bce(Loss):
    """Mean over batch, pixels and (overlapping labels) channels."""

    class Config(LossConfig):
        """See `LossConfig`; where classes exclude each other a pixel has the weight of its true class."""

        name: Literal["bce"] = "bce"

    def __init__(self, config: Config, labels: LabelSpace) -> None:
        super().__init__(labels, config.class_weights)

    def value(self, logits: Tensor, target: Tensor) -> Tensor:
        """Nats a decision."""
        from torch.nn import functional

        each = "mean" if self.weights is None else "none"
        if self.labels.exclusive:
            losses = functional.cross_entropy(logits, target.long(), reduction=each)
            return losses if self.weights is None else self.over_pixels(losses, target)
        losses = functional.binary_cross_entropy_with_logits(logits, target.float(), reduction=each)
        return losses if self.weights is None else self.over_channels(losses)
