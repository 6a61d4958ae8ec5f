"""Focal Tversky loss: classes that are nearly right weigh less.

Source: Abraham & Khan 2019, https://arxiv.org/abs/1810.07842, section 2.1.
Differs: sums may run over the batch; a class absent from the truth counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from phalanx.core.labels import LabelSpace
from phalanx.losses._tversky import TverskyConfig, TverskyLoss

if TYPE_CHECKING:
    from torch import Tensor


class FocalTversky(TverskyLoss):
    """`(1 - TI)^(1 / gamma)`, mean over the scored channels (and images); TI: see `TverskyLoss`."""

    class Config(TverskyConfig):
        """See `TverskyConfig`.

        Args:
            gamma: above 1 the gradient grows as a class comes near to right, below 1 it fades.
        """

        name: Literal["focal_tversky"] = "focal_tversky"
        gamma: float = Field(default=4 / 3, ge=0.25, le=4)

    def __init__(self, config: Config, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        self.gamma = config.gamma

    def cost(self, both: Tensor, painted: Tensor, true: Tensor) -> Tensor:
        """A root of 1 minus the Tversky index."""
        # The root's slope is infinite at 0; below 1e-6 a class is left in peace.
        return super().cost(both, painted, true).clamp(min=1e-6) ** (1 / self.gamma)
