"""Views at test time: a network's logits of a flipped or scaled image, brought back to the image itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Predict = Callable[[Tensor], Tensor]

# What every encoder's strides divide.
_STEP = 32


def views(predict: Predict, flips: str, scales: Sequence[float]) -> list[Predict]:
    """One function a view, each images `(b, k, h, w)` -> logits `(b, c, h, w)`; the first scale's plain view first.

    They are left apart, so that whoever averages them holds the logits of one at a time.

    Args:
        predict: the network.
        flips: `none`, `horizontal`, `vertical` or `both` (four views).
        scales: factors of size; sides are rounded to multiples of 32.
    """
    return [flipped for scale in scales for flipped in _flipped(_scaled(predict, scale), flips)]


def _flipped(predict: Predict, flips: str) -> list[Predict]:
    if flips == "none":
        return [predict]
    import ttach

    kinds: list[Any] = [ttach.HorizontalFlip()] if flips in ("horizontal", "both") else []
    kinds += [ttach.VerticalFlip()] if flips in ("vertical", "both") else []

    def through(view: Any) -> Predict:
        return lambda x: view.deaugment_mask(predict(view.augment_image(x)))

    composed: Any = ttach.Compose(kinds)
    return [through(view) for view in composed]


def _scaled(predict: Predict, scale: float) -> Predict:
    if scale == 1:
        return predict

    def through(x: Tensor) -> Tensor:
        size = [max(_STEP, round(side * scale / _STEP) * _STEP) for side in x.shape[2:]]
        if size == list(x.shape[2:]):
            return predict(x)
        shown = functional.interpolate(x, size, mode="bilinear", align_corners=False, antialias=True)
        logits = predict(shown.contiguous(memory_format=torch.channels_last))
        # Image by image: a batch of large windows with many classes is what fills the memory.
        back = [
            functional.interpolate(one[None].float(), x.shape[2:], mode="bilinear", align_corners=False, antialias=True)
            for one in logits
        ]
        return torch.cat(back)

    return through
