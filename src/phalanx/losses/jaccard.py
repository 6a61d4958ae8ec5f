"""Soft Jaccard loss: intersection over union.

Source: Rahman & Wang 2016, https://doi.org/10.1007/978-3-319-50835-1_22.
Differs: sums may run over the batch; a class absent from the truth counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from phalanx.losses._region import RegionConfig, RegionLoss

if TYPE_CHECKING:
    from torch import Tensor


class Jaccard(RegionLoss):
    """`1 - (|p y| + s) / (|p| + |y| - |p y| + s)`, mean over the scored channels (and images)."""

    class Config(RegionConfig):
        """See `RegionConfig`; an absent class painted over `n` pixels of probability costs `n / (n + smooth)`."""

        name: Literal["jaccard"] = "jaccard"

    def cost(self, both: Tensor, painted: Tensor, true: Tensor) -> Tensor:
        """1 minus intersection over union."""
        return 1 - (both + self.smooth) / (painted + true - both + self.smooth)
