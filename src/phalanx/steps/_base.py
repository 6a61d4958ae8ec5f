"""What a step may be: a Cut of the soft prediction, a Step on one class, a Joint step on all classes of a case.

Masks are runs, int64 `(n, 2)`, sorted, disjoint, half-open, row-major; sizes are `(height, width)` in pixels. No step
changes an array it was given, though it may hand it back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


class Step(ABC):
    """Changes the mask of one class.

    Args:
        config: the validated `Config` of the entry.
    """

    def __init__(self, config: Any) -> None:
        self.config = config

    @abstractmethod
    def __call__(self, runs: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Runs of the mask after the step; a mask without a pixel is welcome."""


class Cut(ABC):
    """Decides from the soft prediction of one class; may only stand first among its steps.

    Args:
        config: the validated `Config` of the entry.
    """

    def __init__(self, config: Any) -> None:
        self.config = config

    @property
    @abstractmethod
    def levels(self) -> tuple[float, ...]:
        """Probabilities in (0, 1), ascending (two may be equal), at which it wants to see the prediction."""

    @abstractmethod
    def __call__(self, masks: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
        """Runs of the mask.

        Args:
            masks: runs of the pixels whose probability is above each of `levels`, in their order.
            size: of the image.
        """


class Joint(ABC):
    """Looks at all classes of a case together.

    Args:
        config: the validated `Config` of the entry.
    """

    def __init__(self, config: Any) -> None:
        self.config = config

    @abstractmethod
    def __call__(self, masks: Mapping[str, np.ndarray], size: tuple[int, int]) -> dict[str, np.ndarray]:
        """Runs of every class after the step: the same names, in the same order."""

    def warnings(self, masks: Mapping[str, np.ndarray], size: tuple[int, int]) -> list[str]:
        """One sentence for each thing that is odd about the masks before the step."""
        return []
