"""Closed outlines: smoothing, resampling, moving, clipping.

A ring is float64 `(points, 2)` as `(x, y)`, closed without repeating its first point.
"""

from __future__ import annotations

import numpy as np


def spline(control: np.ndarray, steps: int = 10) -> np.ndarray:
    """A closed curve through `control`, `steps` points a segment (uniform Catmull-Rom)."""
    p0, p1, p2, p3 = (np.roll(control, shift, axis=0)[:, None] for shift in (1, 0, -1, -2))
    t = (np.arange(steps) / steps)[None, :, None]
    curve = p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))
    return curve.reshape(-1, 2)


def resample(ring: np.ndarray, count: int) -> np.ndarray:
    """`count` points, evenly spaced along the ring."""
    closed = np.vstack([ring, ring[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.arange(count) / count * length[-1]
    return np.column_stack([np.interp(at, length, closed[:, axis]) for axis in (0, 1)])


def perimeter(ring: np.ndarray) -> float:
    """Length of the closed ring."""
    return float(np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1).sum())


def area(ring: np.ndarray) -> float:
    """Enclosed area, positive (shoelace formula)."""
    x, y = ring.T
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)


def wobble(ring: np.ndarray, generator: np.random.Generator, amount: float) -> np.ndarray:
    """Push the ring in and out along its normals by a few slow waves of standard deviation `amount`."""
    phase = np.arange(len(ring)) / len(ring) * 2 * np.pi
    waves = np.arange(2, 8)
    size = generator.normal(0, amount / np.sqrt(len(waves)), (2, len(waves), 1)) * (3.0 / (waves[:, None] + 1.0))
    push = (size[0] * np.cos(waves[:, None] * phase) + size[1] * np.sin(waves[:, None] * phase)).sum(0)
    tangent = np.roll(ring, -1, axis=0) - np.roll(ring, 1, axis=0)
    normal = np.column_stack([tangent[:, 1], -tangent[:, 0]])
    return ring + normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12) * push[:, None]


def turn(degrees: float, centre: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """The `(2, 3)` matrix of a rotation about `centre`, clockwise on the screen (y points down)."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    linear = np.array([[cos, -sin], [sin, cos]])
    origin = np.asarray(centre, float)
    return np.column_stack([linear, origin - linear @ origin])


def chain(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The `(2, 3)` matrix that applies `inner`, then `outer`."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def move(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply a `(2, 3)` matrix to points `(n, 2)`."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def clip_to_frame(ring: np.ndarray) -> np.ndarray:
    """The part of a ring inside the unit square (Sutherland-Hodgman); empty when nothing is."""
    for axis, bound, sign in ((0, 0.0, 1), (0, 1.0, -1), (1, 0.0, 1), (1, 1.0, -1)):
        if not len(ring):
            break
        depth = sign * (ring[:, axis] - bound)
        if (depth >= 0).all():
            continue
        ahead, following = np.roll(depth, -1), np.roll(ring, -1, axis=0)
        kept: list[np.ndarray] = []
        for here, there, a, b in zip(ring, following, depth, ahead, strict=True):
            if a >= 0:
                kept.append(here)
            if (a >= 0) != (b >= 0):
                kept.append(here + (there - here) * (a / (a - b)))
        ring = np.array(kept).reshape(-1, 2)
    return ring


def pixels(ring: np.ndarray, size: int) -> np.ndarray:
    """Whole-pixel int32 points of a ring in the unit square, for an image of `size` px.

    About a point every 3.5 px at 2048, 100 to 400 in all, and proportionally fewer (12 at least) in smaller images.
    """
    full = np.clip(perimeter(ring) * 2048 / 3.5, 100, 400)
    count = max(12, round(full * min(1.0, size / 2048)))
    points = np.clip(np.floor(resample(ring, count) * size), 0, size - 1).astype(np.int32)
    fresh = np.any(points != np.roll(points, 1, axis=0), axis=1)
    return points[fresh] if fresh.sum() >= 3 else points
