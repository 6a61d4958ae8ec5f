"""Area, centre and spread of a mask, summed over its runs without painting a pixel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from phalanx.mask import runs as run_lengths


class Moments(NamedTuple):
    """What the first moments of a mask say.

    Args:
        area: pixels.
        centre: `(x, y)` of the centre of mass, pixel centres on whole numbers.
        covariance: float64 `(2, 2)` of x and y in square pixels; the pixels are taken as points.
    """

    area: int
    centre: np.ndarray
    covariance: np.ndarray

    def axis(self) -> np.ndarray:
        """Unit vector `(x, y)` along the longest extent, of either sense."""
        return np.linalg.eigh(self.covariance)[1][:, 1]


def of(runs: np.ndarray, size: tuple[int, int]) -> Moments | None:
    """Moments of a mask; None of one without a pixel.

    Args:
        runs: int64 `(n, 2)`.
        size: `(height, width)` of the image.
    """
    if not len(runs):
        return None
    parts = run_lengths.split_rows(runs, size)
    length = (parts[:, 1] - parts[:, 0]).astype(float)
    y = (parts[:, 0] // size[1]).astype(float)
    x = parts[:, 0] % size[1] + (length - 1) / 2
    area = length.sum()
    centre = np.array([length @ x, length @ y]) / area
    x, y = x - centre[0], y - centre[1]
    # A run of n points has the variance (n^2 - 1) / 12 about its middle.
    across = length @ (x * x + (length * length - 1) / 12)
    mixed = length @ (x * y)
    return Moments(int(area), centre, np.array([[across, mixed], [mixed, length @ (y * y)]]) / area)
