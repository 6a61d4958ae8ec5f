"""Soft Dice loss.

Source: Milletari et al. 2016, https://arxiv.org/abs/1606.04797, section 3.
Differs: plain instead of squared denominators; sums may run over the batch; a class absent from the truth counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from phalanx.losses._region import RegionConfig, RegionLoss

if TYPE_CHECKING:
    from torch import Tensor


class Dice(RegionLoss):
    """`1 - (2 |p y| + s) / (|p| + |y| + s)`, mean over the scored channels (and images)."""

    class Config(RegionConfig):
        """See `RegionConfig`; an absent class painted over `n` pixels of probability costs `n / (n + smooth)`."""

        name: Literal["dice"] = "dice"

    def cost(self, both: Tensor, painted: Tensor, true: Tensor) -> Tensor:
        """1 minus Dice."""
        return 1 - (2 * both + self.smooth) / (painted + true + self.smooth)
