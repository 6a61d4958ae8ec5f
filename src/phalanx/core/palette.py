"""Palette: colours for classes that bring none, apart from each other for normal and for red-green-blind eyes."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np

# Levels of each primary among which colours are chosen: 4,096 candidates.
_LEVELS = tuple(range(0, 256, 17))
# Colours lie on dark radiographs and on white pages: lightness and chroma of OKLab that show on both.
_LIGHTNESS, _CHROMA = (0.5, 0.93), 0.07
# A red-green-blind eye has a plane of colours left instead of a solid: its distances are smaller, and count less.
_SHARE = 0.4
# Simulated protanopia and deuteranopia on linear RGB. Source: Machado, Oliveira & Fernandes 2009,
# doi:10.1109/TVCG.2009.113, table 1, severity 1.
_BLIND = (
    ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
)


def colours(count: int) -> tuple[str, ...]:
    """So many colours as `#rrggbb`, each the candidate that is furthest from all before it.

    The first ones do not depend on how many follow. Distances are those of OKLab
    (Ottosson 2020, https://bottosson.github.io/posts/oklab), the smallest of the three eyes'.
    """
    return tuple(_furthest(count))


@lru_cache(32)
def _furthest(count: int) -> list[str]:
    rgb = np.array(list(product(_LEVELS, repeat=3)))
    seen = _seen(rgb)
    lightness, chroma = seen[0][:, 0], np.hypot(seen[0][:, 1], seen[0][:, 2])
    fit = (lightness > _LIGHTNESS[0]) & (lightness < _LIGHTNESS[1]) & (chroma > _CHROMA)
    rgb, seen = rgb[fit], seen[:, fit]
    # The first is a clear blue; the rest follows from it.
    place = int(np.argmin(np.abs(rgb - (51, 136, 238)).sum(1)))
    nearest = np.full(len(rgb), np.inf)
    found = []
    for _ in range(count):
        found.append("#" + bytes(rgb[place].tolist()).hex())
        distances = np.linalg.norm(seen - seen[:, place : place + 1], axis=2)
        distances[1:] /= _SHARE
        nearest = np.minimum(nearest, distances.min(0))
        place = int(np.argmax(nearest))
    return found


def _seen(rgb: np.ndarray) -> np.ndarray:
    """OKLab `(3, n, 3)` of colours `(n, 3)` in 0 to 255, as a normal, a protanope and a deuteranope eye sees them."""
    share = rgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.stack([_oklab(np.clip(linear @ np.array(eye).T, 0, 1)) for eye in (np.eye(3), *_BLIND)])


def _oklab(linear: np.ndarray) -> np.ndarray:
    cones = linear @ np.array(
        ((0.4122214708, 0.5363325363, 0.0514459929), (0.2119034982, 0.6806995451, 0.1073969566),
         (0.0883024619, 0.2817188376, 0.6299787005))
    ).T  # fmt: skip
    return np.cbrt(cones) @ np.array(
        ((0.2104542553, 0.7936177850, -0.0040720468), (1.9779984951, -2.4285922050, 0.4505937099),
         (0.0259040371, 0.7827717662, -0.8086757660))
    ).T  # fmt: skip
