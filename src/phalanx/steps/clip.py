"""Clip a mask to the image, for files whose masks leave it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from phalanx.core.catalogue import Strict
from phalanx.mask import runs as run_lengths
from phalanx.steps._base import Step


class Clip(Step):
    """The pixels inside the image, less a margin.

    Takes intervals that begin before the first pixel or end behind the last. What left the image at its right border
    cannot be told in row-major indices: it is part of the next row.
    """

    class Config(Strict):
        """The margin.

        Args:
            margin: pixels along each border that are dropped too, 0 or more.
        """

        name: Literal["clip"] = "clip"
        margin: int = Field(default=0, ge=0)

    config: Config

    def __call__(self, runs: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """What lies inside."""
        height, width = size
        margin = self.config.margin
        inside = np.clip(runs, 0, height * width)
        inside = inside[inside[:, 0] < inside[:, 1]]
        if not margin or not len(inside):
            return inside
        starts = np.arange(margin, height - margin) * width + margin
        window = np.stack([starts, starts + width - 2 * margin], 1) if width > 2 * margin else run_lengths.empty()
        return run_lengths.intersect(inside, window)
