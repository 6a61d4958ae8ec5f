"""Outlines of a mask, for drawing."""

from __future__ import annotations

import cv2
import numpy as np

from phalanx.mask import runs as run_lengths


def outlines(runs: np.ndarray, size: tuple[int, int]) -> list[np.ndarray]:
    """Closed outlines through the mask's own border pixels, those around holes included.

    Args:
        runs: int64 `(n, 2)`.
        size: `(height, width)` of the image.

    Returns:
        int32 `(n, 2)` arrays of `(x, y)`, straight between neighbours; a lone pixel is an outline of one point.
    """
    crop, (top, left) = run_lengths.to_box(runs, size)
    if not crop.size:
        return []
    found, _ = cv2.findContours(crop.view(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top))
    return [points.reshape(-1, 2) for points in found]
