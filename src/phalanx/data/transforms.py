"""Transforms of our own, used in `views:` beside those of Albumentations."""

from __future__ import annotations

from typing import Any

import numpy as np
from albumentations import ImageOnlyTransform


class DarkBackground(ImageOnlyTransform):
    """Invert images whose median is above mid-grey, so that objects are bright in every image.

    Mixed data sets (stained tissue beside fluorescence, X-rays in both photometric interpretations) otherwise ask a
    network to learn every object twice.
    """

    def apply(self, img: np.ndarray, **_: Any) -> np.ndarray:
        """The image, or its negative, uint8 `(h, w, k)`."""
        return 255 - img if np.median(img) > 127 else img


class RedChannel(ImageOnlyTransform):
    """Put the red channel into all channels; grey images in three channels stay as they are.

    In haematoxylin-eosin stains nuclei are blue and the rest of the tissue is pink: red light is absorbed by nuclei
    alone, so that every such stain looks alike in it, whatever its hue, and blood is as bright as the background.
    Images must be read in colour (`model.channels: 3`).
    """

    def apply(self, img: np.ndarray, **_: Any) -> np.ndarray:
        """uint8 `(h, w, 3)`.

        Raises:
            ValueError: an image of one channel.
        """
        if img.ndim < 3 or img.shape[2] < 3:
            raise ValueError("RedChannel needs colour, and model.channels: 1 has none: set it to 3")
        return np.repeat(img[..., :1], img.shape[2], axis=2)
