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
