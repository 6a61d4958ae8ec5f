"""Geometry: how an image was fitted to the network's size, and the way back.

Sizes are `(height, width)`. Resampling follows OpenCV's half-pixel centres, which for bilinear upsampling equals
PyTorch's `interpolate(align_corners=False)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Geometry:
    """An image of `original` size shown to a network as `network` size.

    Args:
        original: size of the image file.
        network: size of the network's input.
        inner: size of the picture inside the network's frame, at its top left corner; the rest is padding. Equal to
            `network` when the image is stretched.
    """

    original: tuple[int, int]
    network: tuple[int, int]
    inner: tuple[int, int]

    @classmethod
    def fit(cls, original: tuple[int, int], network: tuple[int, int], keep_aspect: bool) -> Geometry:
        """Stretch to the network's size, or scale evenly into it and pad at the right and the bottom."""
        if not keep_aspect:
            return cls(original, network, network)
        scale = min(network[0] / original[0], network[1] / original[1])
        inner = (max(1, round(original[0] * scale)), max(1, round(original[1] * scale)))
        return cls(original, network, inner)

    @classmethod
    def from_dict(cls, values: dict[str, list[int]]) -> Geometry:
        """The inverse of `to_dict`."""
        original, network, inner = (tuple(values[name]) for name in ("original", "network", "inner"))
        return cls(original, network, inner)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, list[int]]:
        """Plain lists, for a store's attributes."""
        return {"original": list(self.original), "network": list(self.network), "inner": list(self.inner)}

    def shrink(self, plane: np.ndarray, fill: float = 0) -> np.ndarray:
        """Bring an image or mask plane `(h, w[, k])` of original size to the network's frame.

        Areas are averaged when the image gets smaller, so thin bones keep their share of a pixel.
        """
        height, width = self.inner
        smaller = height * width < self.original[0] * self.original[1]
        method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        resized = plane if self.inner == self.original else cv2.resize(plane, (width, height), interpolation=method)
        if self.inner == self.network:
            return resized
        framed = np.full((*self.network, *plane.shape[2:]), fill, plane.dtype)
        framed[:height, :width] = resized
        return framed

    def restore(self, plane: np.ndarray) -> np.ndarray:
        """Bring a float plane `(h, w)` of the network's frame back to original size, bilinearly."""
        height, width = self.inner
        inner = np.ascontiguousarray(plane[:height, :width], np.float32)
        if self.inner == self.original:
            return inner
        return cv2.resize(inner, (self.original[1], self.original[0]), interpolation=cv2.INTER_LINEAR)
