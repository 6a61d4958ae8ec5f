"""Fill the holes of a class: background that the mask shuts off from the border of the image."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from phalanx.core.catalogue import Strict
from phalanx.mask import components
from phalanx.steps._base import Step


class FillHoles(Step):
    """The mask with its holes.

    Background holds together by its sides, so an outline that meets at corners shuts; what touches the border of the
    image is no hole. `scipy.ndimage.binary_fill_holes` does the same, without a limit.
    """

    class Config(Strict):
        """What is filled.

        Args:
            largest: pixels of the largest hole that is filled, at least 1; None: all holes are.
        """

        name: Literal["fill_holes"] = "fill_holes"
        largest: int | None = Field(default=None, ge=1)

    config: Config

    def __call__(self, runs: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The mask and its holes."""
        return components.fill_holes(runs, size, self.config.largest)
