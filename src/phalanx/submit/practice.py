"""Practice: masks as a model might have predicted them, made from true outlines.

Votes, scores and comparisons can be tried, and timed, before any network is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from phalanx.mask import polygon, runs

# At 2048 px an outline is off by 2 to 5 px, which is about what good models of hand bones are.
_NOISE, _SIDE = (2.0, 5.0), 2048
_EMPTY, _SPECKS = 0.004, 2
_CORNERS = 12
# Logits: spread of the noise, and where they end.
_UNSURE, _SUREST = 0.5, 8.0


def masks(
    outlines: Mapping[str, Sequence[np.ndarray]], size: tuple[int, int], seed: Sequence[int], error: float = 1.0
) -> dict[str, np.ndarray]:
    """Runs by class: outlines moved by smooth noise, specks beside and a hole inside; one mask in 250 is empty.

    Args:
        outlines: class name -> rings `(n, 2)` of `(x, y)` in pixels.
        size: `(height, width)` of the image.
        seed: whole numbers that stand for model and image; the same give the same masks.
        error: how many times as far off as a good model.
    """
    generator = np.random.default_rng(list(seed))
    return {
        name: runs.union([_predicted(ring, size, generator, error) for ring in rings])
        for name, rings in outlines.items()
    }


def logits(
    outlines: Mapping[str, Sequence[np.ndarray]], size: tuple[int, int], seed: Sequence[int], error: float = 1.0
) -> np.ndarray:
    """What a network might say: float32 `(classes, h, w)`, half the distance to `masks`, within 8 of zero.

    Smooth noise makes several of them disagree along every outline. Arguments are those of `masks`.
    """
    generator = np.random.default_rng([*seed, 1])
    noise = cv2.GaussianBlur(generator.normal(size=size).astype(np.float32), (0, 0), 3)
    noise *= _UNSURE / noise.std()
    planes = np.empty((len(outlines), *size), np.float32)
    for plane, mask in zip(planes, masks(outlines, size, seed, error).values(), strict=True):
        inside = runs.to_mask(mask, size).astype(np.uint8)
        far = cv2.distanceTransform(inside, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
        np.clip(far / 2 + noise, -_SUREST, _SUREST, out=plane)
    return planes


def _predicted(ring: np.ndarray, size: tuple[int, int], generator: np.random.Generator, error: float) -> np.ndarray:
    if generator.random() < _EMPTY:
        return runs.empty()
    scale = error * max(size) / _SIDE
    noise = gaussian_filter1d(generator.normal(size=ring.shape), max(1, len(ring) / 50), axis=0, mode="wrap")
    points = _within(ring + noise * generator.uniform(*_NOISE) * scale / noise.std(), size)
    beside = points[generator.integers(len(points), size=_SPECKS)] + generator.uniform(-60, 60, (_SPECKS, 2)) * scale
    specks = [_disc(centre, size, generator, scale) for centre in beside]
    hole = _disc(points.mean(0), size, generator, scale)
    return _without(runs.union([polygon.to_runs([points], size, "opencv"), *specks]), hole, size)


def _disc(centre: np.ndarray, size: tuple[int, int], generator: np.random.Generator, scale: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    ring = centre + generator.uniform(1.5, 4) * scale * np.stack([np.cos(angle), np.sin(angle)], 1)
    return polygon.to_runs([_within(ring, size)], size, "opencv")


def _within(ring: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.clip(ring, 0, (size[1] - 1, size[0] - 1)).round()


def _without(mask: np.ndarray, hole: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels of the mask that are not in the hole."""
    outside = np.concatenate([[0], hole.ravel(), [size[0] * size[1]]]).reshape(-1, 2)
    return runs.intersect(mask, outside[outside[:, 0] < outside[:, 1]])
