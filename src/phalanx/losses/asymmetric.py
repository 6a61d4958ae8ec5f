"""Asymmetric loss: easy pixels without a class fade faster than those with it, the easiest do not count at all.

Source: Ridnik et al. 2021, https://arxiv.org/abs/2009.14119, section 2.
Differs: mean over pixels and channels; where classes exclude each other, each class is held against the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from phalanx.core.labels import LabelSpace
from phalanx.losses._base import Loss, LossConfig

if TYPE_CHECKING:
    from torch import Tensor


class Asymmetric(Loss):
    """`-(1 - p)^g+ log p` where the class is, `-q^g- log(1 - q)` elsewhere, `q = max(p - margin, 0)`."""

    class Config(LossConfig):
        """See `LossConfig`.

        Args:
            gamma_positive: focus where the class is.
            gamma_negative: focus elsewhere.
            margin: probability that is forgiven elsewhere.
        """

        name: Literal["asymmetric"] = "asymmetric"
        gamma_positive: float = Field(default=1.0, ge=0)
        gamma_negative: float = Field(default=4.0, ge=0)
        margin: float = Field(default=0.05, ge=0, lt=0.5)

    def __init__(self, config: Config, labels: LabelSpace) -> None:
        super().__init__(labels, config.class_weights)
        self.config = config

    def value(self, logits: Tensor, target: Tensor) -> Tensor:
        """Nats a decision, faded."""
        from torch.nn import functional

        settings, truth = self.config, self.labels.planes(target)
        logs = logits.log_softmax(1) if self.labels.exclusive else functional.logsigmoid(logits)
        probability = logs.exp()
        # Powers below 1 have an infinite slope at 0, hence the floors.
        held = -((1 - probability).clamp(min=1e-8) ** settings.gamma_positive) * logs
        shifted = (probability - settings.margin).clamp(min=1e-8)
        free = -(shifted**settings.gamma_negative) * (1 - shifted).clamp(min=1e-7).log()
        return self.over_channels(truth * held + (1 - truth) * free)
