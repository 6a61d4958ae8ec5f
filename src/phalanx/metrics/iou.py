"""Intersection over union (Jaccard index)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from phalanx.core.catalogue import Strict


class Iou:
    """`(|A and B| + eps) / (|A or B| + eps)`; 1 where both are empty."""

    class Config(Strict):
        """The guard against an empty denominator."""

        name: Literal["iou"] = "iou"
        eps: float = 1e-4

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    def __call__(self, counts: np.ndarray) -> np.ndarray:
        """Scores `(...)` of counts `(..., 3)`: pixels in both, predicted, true."""
        both, predicted, true = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
        return (both + self.config.eps) / (predicted + true - both + self.config.eps)
