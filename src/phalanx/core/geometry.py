"""Geometry: how an image was fitted to the network's size, and the way back.

Sizes are `(height, width)`. Resampling follows OpenCV's half-pixel centres, which for bilinear upsampling equals
PyTorch's `interpolate(align_corners=False)`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        crop: `(top, left, bottom, right)` of the original that was shown, the last two exclusive; None: all of it.
        mirrored: left and right of the picture inside the frame were swapped; padding stays where it is. Stores hold
            logits that are turned back (`upright`).
    """

    original: tuple[int, int]
    network: tuple[int, int]
    inner: tuple[int, int]
    crop: tuple[int, int, int, int] | None = None
    mirrored: bool = False

    @classmethod
    def fit(
        cls,
        original: tuple[int, int],
        network: tuple[int, int],
        keep_aspect: bool,
        crop: tuple[int, int, int, int] | None = None,
    ) -> Geometry:
        """Stretch to the network's size, or scale evenly into it and pad at the right and the bottom.

        Raises:
            ValueError: a crop that is empty or leaves the image.
        """
        if crop is not None and not (0 <= crop[0] < crop[2] <= original[0] and 0 <= crop[1] < crop[3] <= original[1]):
            raise ValueError(f"a crop must lie in its image: {crop} of {original}. Give (top, left, bottom, right)")
        if not keep_aspect:
            return cls(original, network, network, crop)
        shown = original if crop is None else (crop[2] - crop[0], crop[3] - crop[1])
        scale = min(network[0] / shown[0], network[1] / shown[1])
        inner = (max(1, round(shown[0] * scale)), max(1, round(shown[1] * scale)))
        return cls(original, network, inner, crop)

    @property
    def shown(self) -> tuple[int, int]:
        """Size of the part of the original that the network saw."""
        return self.original if self.crop is None else (self.crop[2] - self.crop[0], self.crop[3] - self.crop[1])

    @classmethod
    def from_dict(cls, values: dict[str, list[int]]) -> Geometry:
        """The inverse of `to_dict`."""
        original, network, inner = (tuple(values[name]) for name in ("original", "network", "inner"))
        crop, mirrored = values.get("crop"), bool(values.get("mirrored"))
        return cls(original, network, inner, None if crop is None else tuple(crop), mirrored)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, list[int]]:
        """Plain lists, for a store's attributes."""
        values = {"original": list(self.original), "network": list(self.network), "inner": list(self.inner)}
        if self.crop is not None:
            values["crop"] = list(self.crop)
        return {**values, "mirrored": [1]} if self.mirrored else values

    def flip(self, plane: np.ndarray) -> np.ndarray:
        """Swap left and right of the picture inside a frame `(..., h, w)`; twice is nothing. A copy."""
        height, width = self.inner
        flipped = np.array(plane)
        flipped[..., :height, :width] = plane[..., :height, :width][..., ::-1]
        return flipped

    def upright(self, logits: np.ndarray) -> tuple[np.ndarray, Geometry]:
        """Logits `(..., h, w)` of a mirrored picture turned back, and their geometry; others as they are."""
        return (self.flip(logits), replace(self, mirrored=False)) if self.mirrored else (logits, self)

    def shrink(self, plane: np.ndarray, fill: float = 0) -> np.ndarray:
        """Bring an image or mask plane `(h, w[, k])` of original size to the network's frame.

        Areas are averaged when the image gets smaller, so thin bones keep their share of a pixel.
        """
        if self.crop is not None:
            top, left, bottom, right = self.crop
            plane = np.ascontiguousarray(plane[top:bottom, left:right])
        height, width = self.inner
        smaller = height * width < self.shown[0] * self.shown[1]
        method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        resized = plane if self.inner == self.shown else cv2.resize(plane, (width, height), interpolation=method)
        resized = np.ascontiguousarray(resized[:, ::-1]) if self.mirrored else resized
        if self.inner == self.network:
            return resized
        framed = np.full((*self.network, *plane.shape[2:]), fill, plane.dtype)
        framed[:height, :width] = resized
        return framed

    def restore(self, plane: np.ndarray, outside: float = -8.0) -> np.ndarray:
        """Bring a float plane `(h, w)` of the network's frame back to original size, bilinearly, and upright.

        Args:
            plane: logits, or what `outside` fits.
            outside: what is said of pixels out of the crop; -8 is the surest "no" of a store.
        """
        height, width = self.inner
        shown = np.ascontiguousarray(self.upright(plane)[0][:height, :width], np.float32)
        if self.inner != self.shown:
            shown = cv2.resize(shown, (self.shown[1], self.shown[0]), interpolation=cv2.INTER_LINEAR)
        if self.crop is None:
            return shown
        whole = np.full(self.original, outside, np.float32)
        top, left, bottom, right = self.crop
        whole[top:bottom, left:right] = shown
        return whole
