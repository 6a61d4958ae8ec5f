"""Cross-entropy: binary in every channel where classes overlap, categorical where they exclude each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from phalanx.core.catalogue import Strict
from phalanx.core.labels import LabelSpace
from phalanx.losses._base import Loss

if TYPE_CHECKING:
    from torch import Tensor


class Bce(Loss):
    """Mean over batch, pixels and (overlapping labels) channels."""

    class Config(Strict):
        """Nothing to choose yet."""

        name: Literal["bce"] = "bce"

    def __init__(self, config: Config, labels: LabelSpace) -> None:
        super().__init__(labels)
        self.config = config

    def value(self, logits: Tensor, target: Tensor) -> Tensor:
        """Nats a decision."""
        from torch.nn import functional

        if self.labels.exclusive:
            return functional.cross_entropy(logits, target.long())
        return functional.binary_cross_entropy_with_logits(logits, target.float())
