"""Distances to the edge of a mask, for losses that ask how far off a pixel is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from torch import Tensor


def to_edge(masks: Tensor) -> Tensor:
    """Signed distance of every pixel to the edge of its mask.

    Args:
        masks: `(b, c, h, w)` or `(b, c, d, h, w)`, boolean.

    Returns:
        float32 of the same shape and device, in diagonals of the image: from the pixel's centre to that of the nearest
        pixel across the edge, less half a pixel; negative inside. 1 all over an empty mask, -1 all over a full one.
    """
    import torch

    planes = masks.cpu().numpy()
    distances = np.empty(planes.shape, np.float32)
    half, diagonal = 0.5, float(np.hypot.reduce(np.array(planes.shape[2:], np.float64)))
    for place in np.ndindex(planes.shape[:2]):
        mask = planes[place]
        if mask.all() or not mask.any():
            distances[place] = -1.0 if mask.any() else 1.0
        else:
            distances[place] = np.where(mask, half - _inside(mask), _inside(~mask) - half) / diagonal
    return torch.from_numpy(distances).to(masks.device)


def _inside(mask: np.ndarray) -> np.ndarray:
    """Distance of the mask's pixels to the nearest pixel outside it, 0 there."""
    if mask.ndim == 2:
        return cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return ndimage.distance_transform_edt(mask)  # type: ignore[return-value]
