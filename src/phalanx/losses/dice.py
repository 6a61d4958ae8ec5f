"""Soft Dice loss.

Source: Milletari et al. 2016, https://arxiv.org/abs/1606.04797, section 3.
Differs: plain instead of squared denominators; sums may run over the batch; a class absent from the truth counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from phalanx.core.catalogue import Strict
from phalanx.core.labels import LabelSpace
from phalanx.losses._base import Loss

if TYPE_CHECKING:
    from torch import Tensor


class Dice(Loss):
    """`1 - (2 |p y| + s) / (|p| + |y| + s)`, mean over the scored channels (and images)."""

    class Config(Strict):
        """How sums and means are taken.

        Args:
            smooth: pixels added above and below; a class absent from the truth and painted over `n` pixels of
                probability costs `n / (n + smooth)`.
            per_image: True: one Dice an image and class; False: one a class over the whole batch.
        """

        name: Literal["dice"] = "dice"
        smooth: float = Field(default=1.0, gt=0)
        per_image: bool = False

    def __init__(self, config: Config, labels: LabelSpace) -> None:
        super().__init__(labels)
        self.config = config

    def value(self, logits: Tensor, target: Tensor) -> Tensor:
        """In [0, 1]."""
        scored = list(self.labels.scored)
        probability = self.labels.probability(logits)[:, scored].flatten(2)  # (b, c, pixels)
        truth = self.labels.planes(target)[:, scored].flatten(2)
        axes = (2,) if self.config.per_image else (0, 2)
        both = (probability * truth).sum(axes)
        total = probability.sum(axes) + truth.sum(axes)
        # With s above and below, an absent class painted over n pixels costs n / (n + s): 1 for any real blob, 0 for
        # none. SMP's loss masks absent classes out and makes such a blob free.
        return (1 - (2 * both + self.config.smooth) / (total + self.config.smooth)).mean()
