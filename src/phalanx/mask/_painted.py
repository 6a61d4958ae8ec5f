"""Connected objects said in NumPy and OpenCV, on painted masks: used without Numba, and to hold the other to."""

from __future__ import annotations

import numpy as np

from phalanx.mask import runs as run_lengths


def objects(runs: np.ndarray, width: int, reach: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tell the connected objects of a mask apart.

    Args:
        runs: int64 `(n, 2)`.
        width: of the image.
        reach: 0: pixels hold together by their sides; 1: by their corners too.

    Returns:
        Intervals that end with their row, int64 `(k, 2)`; the object of each, int64 `(k,)`, numbered from 0 by their
        first pixel; and the pixels of each object, int64.
    """
    import cv2

    if not len(runs):
        return runs, np.empty(0, np.int64), np.empty(0, np.int64)
    size = (int(runs[-1, 1] - 1) // width + 1, width)
    parts = run_lengths.split_rows(runs, size)
    crop, (top, left) = run_lengths.to_box(runs, size)
    _, image = cv2.connectedComponents(crop.view(np.uint8), connectivity=8 if reach else 4, ltype=cv2.CV_32S)
    # An interval within a row is connected: the label of its first pixel is that of all.
    y, x = np.divmod(parts[:, 0], width)
    _, first, labels = np.unique(image[y - top, x - left], return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    areas = np.zeros(len(first), np.int64)
    np.add.at(areas, rank[labels], parts[:, 1] - parts[:, 0])
    return parts, rank[labels], areas


def grouped(parts: np.ndarray, labels: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The runs of one object after another, int64 `(n, 2)`, and where each begins, int64 `(number + 1,)`.

    Args:
        parts: int64 `(k, 2)`, in order; those of an object that touch become one.
        labels: int64 `(k,)`, the object of each.
        number: of objects.
    """
    groups = [kept(parts, labels, np.arange(number) == index) for index in range(number)]
    heads = np.append(0, np.cumsum([len(group) for group in groups])).astype(np.int64)
    return np.concatenate([run_lengths.empty(), *groups]), heads


def kept(parts: np.ndarray, labels: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Runs of the objects that are kept.

    Args:
        parts: int64 `(k, 2)`, in order.
        labels: int64 `(k,)`, the object of each.
        keep: bool, of each object.
    """
    return run_lengths.union([parts[keep[labels]]])


def enclosed(runs: np.ndarray, parts: np.ndarray, labels: np.ndarray, number: int, width: int) -> np.ndarray:
    """Which pieces of background between a mask's first and last pixel are holes: bool `(number,)`.

    Args:
        runs: int64 `(n, 2)`, the mask.
        parts: int64 `(k, 2)`, the background as intervals that end with their row.
        labels: int64 `(k,)`, the piece each belongs to.
        number: of pieces.
        width: of the image.
    """
    start, stop = parts.T
    open_ = (start % width == 0) | (stop % width == 0)
    # A pixel over or under it that comes before the mask, or behind, leads along its row to the border.
    open_ |= (start - width < runs[0, 0]) | (stop + width > runs[-1, 1])
    inside = np.ones(number, np.bool_)
    inside[labels[open_]] = False
    return inside
