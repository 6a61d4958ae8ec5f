"""What the Tversky losses share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from phalanx.core.labels import LabelSpace
from phalanx.losses._region import RegionConfig, RegionLoss

if TYPE_CHECKING:
    from torch import Tensor


class TverskyConfig(RegionConfig):
    """See `RegionConfig`; the defaults forgive painting too much more readily than too little.

    Args:
        alpha: weight of what is painted and not true.
        beta: weight of what is true and not painted. Dice has 0.5 and 0.5, Jaccard 1 and 1.
    """

    alpha: float = Field(default=0.3, gt=0)
    beta: float = Field(default=0.7, gt=0)


class TverskyLoss(RegionLoss):
    """`1 - (TP + s) / (TP + alpha FP + beta FN + s)`."""

    def __init__(self, config: TverskyConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        self.alpha, self.beta = config.alpha, config.beta

    def cost(self, both: Tensor, painted: Tensor, true: Tensor) -> Tensor:
        """1 minus the Tversky index."""
        wrong = self.alpha * (painted - both) + self.beta * (true - both)
        # The very quotient without the subtraction: no cost is left by rounding where nothing is wrong.
        return wrong / (both + wrong + self.smooth)
