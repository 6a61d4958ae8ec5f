"""Focal loss: cross-entropy that fades as a decision becomes right.

Source: Lin et al. 2017, https://arxiv.org/abs/1708.02002, section 3.
Differs: mean over pixels (and channels), not over objects; where classes exclude each other, of the true class alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from phalanx.core.errors import ConfigError
from phalanx.core.labels import LabelSpace
from phalanx.losses._base import Loss, LossConfig

if TYPE_CHECKING:
    from torch import Tensor


class Focal(Loss):
    """`-a (1 - p_t)^gamma log p_t`, `p_t` the probability of what is true."""

    class Config(LossConfig):
        """See `LossConfig`.

        Args:
            gamma: 0 is cross-entropy.
            alpha: share of the pixels that hold the class in each channel, `1 - alpha` of those that do not; null:
                both whole. For overlapping classes alone, elsewhere `class_weights` do it.
        """

        name: Literal["focal"] = "focal"
        gamma: float = Field(default=2.0, ge=0)
        alpha: float | None = Field(default=None, gt=0, lt=1)

    def __init__(self, config: Config, labels: LabelSpace) -> None:
        super().__init__(labels, config.class_weights)
        self.gamma, self.alpha = config.gamma, config.alpha
        if labels.exclusive and config.alpha is not None:
            raise ConfigError("focal loss: alpha needs overlapping classes", config.alpha, "set class_weights instead")

    def value(self, logits: Tensor, target: Tensor) -> Tensor:
        """Nats a decision, faded."""
        from torch.nn import functional

        if self.labels.exclusive:
            return self.over_pixels(
                self._faded(functional.cross_entropy(logits, target.long(), reduction="none")), target
            )
        truth = target.float()
        losses = self._faded(functional.binary_cross_entropy_with_logits(logits, truth, reduction="none"))
        if self.alpha is not None:
            losses = losses * (self.alpha * truth + (1 - self.alpha) * (1 - truth))
        return self.over_channels(losses)

    def _faded(self, losses: Tensor) -> Tensor:
        """Cross-entropies times `(1 - p)^gamma`, `p` being `exp(-cross-entropy)`."""
        # A power below 1 has an infinite slope at 0.
        return (-(-losses).expm1()).clamp(min=1e-8) ** self.gamma * losses
