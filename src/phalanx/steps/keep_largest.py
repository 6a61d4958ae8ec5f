"""Keep the largest objects of a class and drop the others."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from phalanx.core.catalogue import Strict
from phalanx.mask import components
from phalanx.steps._base import Step


class KeepLargest(Step):
    """The objects with the most pixels; of equal ones the first in row-major order."""

    class Config(Strict):
        """What stays.

        Args:
            count: objects, at least 1.
            connectivity: 4: pixels hold together by their sides; 8: by their corners too.
        """

        name: Literal["keep_largest"] = "keep_largest"
        count: int = Field(default=1, ge=1)
        connectivity: Literal[4, 8] = 8

    config: Config

    def __call__(self, runs: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The largest objects."""
        return components.largest(runs, size, self.config.connectivity, self.config.count)
