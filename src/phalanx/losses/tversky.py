"""Tversky loss: an overlap that weighs false positives and false negatives apart.

Source: Salehi et al. 2017, https://arxiv.org/abs/1706.05721.
Differs: sums may run over the batch; a class absent from the truth counts.
"""

from __future__ import annotations

from typing import Literal

from phalanx.losses._tversky import TverskyConfig, TverskyLoss


class Tversky(TverskyLoss):
    """`1 - (TP + s) / (TP + alpha FP + beta FN + s)`, mean over the scored channels (and images)."""

    class Config(TverskyConfig):
        """See `TverskyConfig`; an absent class painted over `n` pixels costs `n / (n + smooth / alpha)`."""

        name: Literal["tversky"] = "tversky"
