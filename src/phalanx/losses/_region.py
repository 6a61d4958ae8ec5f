"""Losses that are one minus an overlap of two regions, summed over pixels before anything is divided."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from pydantic import Field

from phalanx.core.labels import LabelSpace
from phalanx.losses._base import Loss, LossConfig

if TYPE_CHECKING:
    from torch import Tensor


class RegionConfig(LossConfig):
    """How sums and means are taken.

    Args:
        smooth: pixels added above and below: a class absent from the truth costs next to 0 when it is not painted, and
            the closer to 1 the more pixels of probability it is painted over.
        per_image: True: one overlap an image and class; False: one a class over the whole batch.
    """

    smooth: float = Field(default=1.0, gt=0)
    per_image: bool = False


class RegionLoss(Loss):
    """Mean over the scored classes (and images) of `cost`, 1 minus an overlap."""

    def __init__(self, config: RegionConfig, labels: LabelSpace) -> None:
        super().__init__(labels, config.class_weights)
        self.smooth, self.per_image = config.smooth, config.per_image

    def value(self, logits: Tensor, target: Tensor) -> Tensor:
        """In [0, 1]."""
        scored = list(self.labels.scored)
        probability = self.labels.probability(logits)[:, scored].flatten(2)  # (b, c, pixels)
        truth = self.labels.planes(target)[:, scored].flatten(2)
        axes = (2,) if self.per_image else (0, 2)
        both = (probability * truth).sum(axes)
        # With s above and below, an absent class painted over n pixels is no longer free; SMP's losses mask it out.
        return self.over_classes(self.cost(both, probability.sum(axes), truth.sum(axes)))

    @abstractmethod
    def cost(self, both: Tensor, painted: Tensor, true: Tensor) -> Tensor:
        """Cost in [0, 1] of regions.

        Args:
            both: `(..., scored)` pixels of probability on the truth.
            painted: pixels of probability.
            true: pixels of the truth.
        """
