"""Remove the objects of a class that are too small to be real."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from phalanx.core.catalogue import Strict
from phalanx.mask import components
from phalanx.steps._base import Step


class RemoveSmall(Step):
    """The objects of at least `smallest` pixels."""

    class Config(Strict):
        """What stays.

        Args:
            smallest: pixels of the smallest object that stays, at least 1 (all stay); they grow with the square of the
                picture.
            connectivity: 4: pixels hold together by their sides; 8: by their corners too.
            keep_one: the largest object stays whatever its size, for classes that every picture has.
        """

        name: Literal["remove_small"] = "remove_small"
        smallest: int = Field(ge=1)
        connectivity: Literal[4, 8] = 8
        keep_one: bool = False

    config: Config

    def __call__(self, runs: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The objects that are large enough."""
        kept = components.remove_small(runs, size, self.config.smallest, self.config.connectivity)
        if self.config.keep_one and len(runs) and not len(kept):
            return components.largest(runs, size, self.config.connectivity)
        return kept
