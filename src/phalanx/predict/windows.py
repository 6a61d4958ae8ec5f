"""Sliding windows: logits of an image that is larger than what the network is shown, strip by strip.

The windows of one row are added up in a band as high as a window and as wide as the image; rows that no later window
touches are handed on, and the band moves down. Each window is weighted so that the weights of a pixel add up to one,
which is known beforehand: nothing is divided at the end, and no plane as large as the image is ever held.

Measured for 29 classes, 2048 px and windows of 1024 with stride 512, from logits to the store: 185 MB at the peak, of
which the band is 122. The plain way, the sum and the weights of the whole image in float32 and a division at the end,
takes 1,970 MB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from phalanx.core.errors import RunError
from phalanx.predict.settings import Window
from phalanx.predict.views import Predict

# A band larger than this is held in float16 on a CPU: the rounding, 0.004 of a logit of 8, is a fifteenth of a level
# of an int8 store.
_FULL_PRECISION = 128 * 2**20
# Numbers that are added to the band at once.
_BLOCK = 2**20
# Rows that are handed on at once.
_ROWS = 512
# A weight is never below this share of the middle's along one axis, so that the corners of an image count, too.
_FLOOR = 1e-3
# An image without windows is made a multiple of this.
_STEP = 32
# float16 ends at 65,504.
_LARGEST = 1e4


@dataclass(frozen=True)
class Axis:
    """Windows along one axis of an image.

    Args:
        length: of the image, at least the window's.
        starts: where the windows begin, rising.
        weights: float32 `(windows, size)`; over all windows, those of a pixel add up to one.
    """

    length: int
    starts: tuple[int, ...]
    weights: Tensor

    @classmethod
    def of(cls, length: int, size: int, stride: int, blend: str) -> Axis:
        """Lay windows over a length of at least one window; the last ends with the image."""
        starts = (*range(0, length - size, stride), length - size)
        weight = _profile(size, blend)
        total = np.zeros(length)
        for start in starts:
            total[start : start + size] += weight
        shares = np.stack([weight / total[start : start + size] for start in starts])
        return cls(length, starts, torch.from_numpy(shares.astype(np.float32)))

    def ends(self) -> tuple[int, ...]:
        """Up to where, after each window, no later one reaches."""
        return (*self.starts[1:], self.length)


def slide(
    looks: Sequence[Predict], image: Tensor, window: Window | None, batch_size: int
) -> Iterator[tuple[int, Tensor]]:
    """Mean logits of an image, from top to bottom.

    Args:
        looks: networks and views, each images `(b, k, h, w)` -> logits `(b, c, h, w)`.
        image: `(k, h, w)`, on the networks' device.
        window: the settings; None: the image as a whole.
        batch_size: windows a forward pass.

    Yields:
        The first row and the logits `(c, rows, w)` of a strip, float32 or float16. They are overwritten when the next
        one is asked for.

    Raises:
        RunError: logits that are not finite.
    """
    height, width = image.shape[1:]
    size = window.size if window else (-(-height // _STEP) * _STEP, -(-width // _STEP) * _STEP)
    padded, steps, blend = _padded(image, size), window.steps if window else size, window.blend if window else "uniform"
    down = Axis.of(padded.shape[1], size[0], steps[0], blend)
    along = Axis.of(padded.shape[2], size[1], steps[1], blend)
    along_weights = along.weights.to(image.device)
    band: Tensor | None = None
    for start, end, weights in zip(down.starts, down.ends(), down.weights.to(image.device), strict=True):
        for first in range(0, len(along.starts), batch_size):
            places = range(first, min(first + batch_size, len(along.starts)))
            tiles = [padded[:, start : start + size[0], along.starts[n] : along.starts[n] + size[1]] for n in places]
            x = torch.stack(tiles).contiguous(memory_format=torch.channels_last)
            for look in looks:
                logits = look(x)
                band = _band(logits.shape[1], size[0], padded) if band is None else band
                for n, tile in zip(places, logits, strict=True):
                    weight = weights[:, None] * along_weights[n] / len(looks)
                    _add(band[:, :, along.starts[n] : along.starts[n] + size[1]], tile, weight)
        assert band is not None
        for first in range(start, min(end, height), _ROWS):
            yield first, band[:, first - start : min(first + _ROWS, end, height) - start, :width]
        _move(band, end - start)


def _profile(size: int, blend: str) -> np.ndarray:
    """Weights along one axis of a window, float64 `(size,)`, the largest about 1.

    Source: the Gaussian of Isensee et al. 2021, https://doi.org/10.1038/s41592-020-01008-z, whose standard deviation is
    an eighth of the window.
    """
    if blend == "uniform":
        return np.ones(size)
    distance = (np.arange(size) - (size - 1) / 2) / (size / 8)
    return np.maximum(np.exp(-(distance**2) / 2), _FLOOR)


def _padded(image: Tensor, size: tuple[int, int]) -> Tensor:
    """An image at least as large as a window, mirrored at its right and bottom edge."""
    for axis, side in enumerate(size, 1):
        length = image.shape[axis]
        if length < side:
            order = np.pad(np.arange(length), (0, side - length), mode="reflect")
            image = image.index_select(axis, torch.from_numpy(order).to(image.device))
    return image


def _band(channels: int, height: int, image: Tensor) -> Tensor:
    shape = channels, height, image.shape[2]
    small = image.is_cuda or 4 * int(np.prod(shape)) <= _FULL_PRECISION
    return torch.zeros(shape, dtype=torch.float32 if small else torch.float16, device=image.device)


def _add(band: Tensor, tile: Tensor, weight: Tensor) -> None:
    """Add a weighted tile `(c, h, w)` to its place in the band, a few classes at a time."""
    step = max(1, _BLOCK // weight.numel())
    for channel in range(0, len(tile), step):
        part = tile[channel : channel + step].float()
        if not torch.isfinite(part).all():
            fix = "train with a lower train.optimiser.lr or train.precision=32"
            raise RunError("the network's logits are not finite", f"in channel {channel} or next to it", fix)
        band[channel : channel + step] += part.clamp(-_LARGEST, _LARGEST) * weight


def _move(band: Tensor, rows: int) -> None:
    """Forget the first rows, and make room for as many at the end."""
    for plane in band:
        if rows < len(plane):
            plane[:-rows] = plane[rows:].clone()
        plane[-rows:] = 0
