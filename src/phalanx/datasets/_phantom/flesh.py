"""Thickness of the soft tissue: a smooth silhouette round the skeleton, round fingers, a fuller palm and forearm."""

from __future__ import annotations

import cv2
import numpy as np

from phalanx.datasets._phantom.anatomy import Hand

GRID = 768  # the field is smooth; finer sampling would not show at 2048 px
_CIRCLE = np.column_stack([np.cos(np.linspace(0, 2 * np.pi, 48)), np.sin(np.linspace(0, 2 * np.pi, 48))])


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, a cubic in between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def clouds(generator: np.random.Generator, cells: tuple[int, int], size: int) -> np.ndarray:
    """Smooth noise `(size, size)` float32 of about unit deviation, with `(down, across)` cells a side."""
    return cv2.resize(generator.standard_normal(cells, np.float32), (size, size), interpolation=cv2.INTER_CUBIC)


def silhouette(hand: Hand, generator: np.random.Generator, size: int) -> np.ndarray:
    """Depth below the skin, float32 `(size, size)` in image sides; 0 outside the hand."""
    margin = size // 4  # beyond the image, so that the forearm has no end at the image's edge
    wide = size + 2 * margin
    mask = np.zeros((wide, wide), np.uint8)
    for circles in hand.flesh:
        points = (circles[:, None, :2] + circles[:, None, 2:] * _CIRCLE).reshape(-1, 2)
        hull = cv2.convexHull(((points * size - 0.5 + margin) * 16).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, 255, cv2.LINE_AA, 4)
    # Blurring and cutting at the half rounds the webs between the fingers and the steps between the hulls.
    smooth = cv2.GaussianBlur(mask, (0, 0), 0.0065 * size)
    level = 127 + np.clip(28 * clouds(generator, (24, 24), wide), -50, 50)  # never a hole, never an island
    depth = cv2.distanceTransform((smooth > level).astype(np.uint8), cv2.DIST_L2, 5)
    depth = cv2.GaussianBlur(depth, (0, 0), 1.6)
    return depth[margin : margin + size, margin : margin + size] / np.float32(size)


def thickness(hand: Hand, generator: np.random.Generator, size: int) -> np.ndarray:
    """Soft-tissue thickness, float32 `(size, size)`; about 1 in the middle of a finger, 0 outside the hand."""
    depth = silhouette(hand, generator, GRID)
    unit = hand.scale / 820.0
    inside = np.clip(depth * unit / 0.034, 0, 1)
    field = np.sqrt(inside * (2 - inside)) * (1 + 0.75 * smoothstep(0.028, 0.12, depth * unit))
    field *= 1 + _bulges(hand)
    field *= 1 + 0.05 * clouds(generator, (9, 9), GRID) + 0.025 * clouds(generator, (60, 45), GRID)
    field = cv2.GaussianBlur(field.astype(np.float32), (0, 0), 1.3)
    return cv2.resize(field, (size, size), interpolation=cv2.INTER_LINEAR)


def _bulges(hand: Hand) -> np.ndarray:
    """Extra thickness of the balls of the thumb and the little finger and of the forearm's muscles."""
    at = (np.arange(GRID, dtype=np.float32) + 0.5) / GRID
    unit = 820.0 / hand.scale

    def ball(centre: np.ndarray, radius: float, amount: float) -> np.ndarray:
        across, down = (np.exp(-(((at - middle) / (radius * unit)) ** 2) / 2) for middle in centre)
        return amount * np.outer(down, across).astype(np.float32)

    thumb, index, little = hand.bone("finger-3"), hand.bone("finger-7"), hand.bone("finger-19")
    field = ball(0.35 * thumb.tip + 0.3 * thumb.base + 0.35 * (index.base + index.tip) / 2, 0.065, 0.38)
    field += ball(0.4 * little.tip + 0.6 * little.base, 0.07, 0.25)
    radius = hand.bone("Radius")
    axis = radius.base - radius.tip
    along = np.add.outer((at - radius.tip[1]) * axis[1], (at - radius.tip[0]) * axis[0]) / np.dot(axis, axis)
    return field + 0.30 * smoothstep(0.05, 0.55, along).astype(np.float32)
