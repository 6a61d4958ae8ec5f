"""Connected objects of a mask."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from phalanx.mask import runs as run_lengths


def split(runs: np.ndarray, size: tuple[int, int], connectivity: Literal[4, 8] = 8) -> list[np.ndarray]:
    """The mask's connected objects as runs, ordered by their first pixel in row-major order.

    Args:
        runs: int64 `(n, 2)`.
        size: `(height, width)` of the image.
        connectivity: 4: pixels hold together by their sides; 8: by their corners too.
    """
    parts, labels = _labelled(runs, size, connectivity)
    return [run_lengths.union([parts[labels == label]]) for label in range(labels.max(initial=-1) + 1)]


def largest(runs: np.ndarray, size: tuple[int, int], connectivity: Literal[4, 8] = 8) -> np.ndarray:
    """Runs of the object with the most pixels, the first of several; no pixel of a mask without one."""
    parts, labels = _labelled(runs, size, connectivity)
    if not len(parts):
        return run_lengths.empty()
    areas = np.bincount(labels, parts[:, 1] - parts[:, 0])
    return run_lengths.union([parts[labels == np.argmax(areas)]])


def _labelled(runs: np.ndarray, size: tuple[int, int], connectivity: int) -> tuple[np.ndarray, np.ndarray]:
    """Intervals that end with their row, and the object each belongs to, numbered by first pixel from 0."""
    if connectivity not in (4, 8):
        raise ValueError(f"connectivity must be 4 or 8: {connectivity}. Choose one")
    parts = run_lengths.split_rows(runs, size)
    if not len(parts):
        return parts, np.empty(0, np.int64)
    crop, (top, left) = run_lengths.to_box(runs, size)
    _, image = cv2.connectedComponents(crop.view(np.uint8), connectivity=connectivity, ltype=cv2.CV_32S)
    # An interval within a row is connected: the label of its first pixel is that of all.
    y, x = np.divmod(parts[:, 0], size[1])
    _, first, labels = np.unique(image[y - top, x - left], return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return parts, rank[labels]
