"""Threshold: a pixel belongs to the class when its probability is above one level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from phalanx.core.catalogue import Strict
from phalanx.steps._base import Cut


class Threshold(Cut):
    """The mask at one level."""

    class Config(Strict):
        """Where the prediction is cut.

        Args:
            at: probability in (0, 1).
        """

        name: Literal["threshold"] = "threshold"
        at: float = Field(default=0.5, gt=0, lt=1)

    config: Config

    @property
    def levels(self) -> tuple[float, ...]:
        """The one level."""
        return (self.config.at,)

    def __call__(self, masks: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
        """The mask at that level, as it is."""
        (mask,) = masks
        return mask
