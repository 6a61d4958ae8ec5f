"""Predictor: networks' mean logits for a stream of images, case by case into a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from phalanx.core.geometry import Geometry
from phalanx.store.predictions import Writer


def flipped(predict: Callable[[Tensor], Tensor], flips: str) -> Callable[[Tensor], Tensor]:
    """`predict` averaged over flipped views of its images (mean of logits), by ttach."""
    if flips == "none":
        return predict
    import ttach

    views: list[Any] = [ttach.HorizontalFlip()] if flips in ("horizontal", "both") else []
    views += [ttach.VerticalFlip()] if flips in ("vertical", "both") else []
    return ttach.SegmentationTTAWrapper(_Forward(predict), ttach.Compose(views), merge_mode="mean")


def into_store(
    predictors: Sequence[Callable[[Tensor], Tensor]],
    batches: Iterable[tuple[Sequence[str], Tensor, Sequence[Geometry]]],
    writer: Writer,
    *,
    precision: str,
) -> None:
    """Write the mean logits of `predictors` (the networks of several folds) for every image.

    Args:
        predictors: each images `(b, k, h, w)` -> logits `(b, c, h, w)`, on its own device.
        batches: (ids, images, geometries); cases the writer already has should not come again.
        writer: an open store.
        precision: Lightning's name, as in training (`bf16-mixed`, `32-true` ...).
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for ids, images, geometries in batches:
        x = images.to(device, memory_format=torch.channels_last)
        total: Any = 0
        for predict in predictors:
            with torch.inference_mode(), _autocast(device, precision):
                total = total + predict(x).float()
        logits: np.ndarray = (total / len(predictors)).cpu().numpy()
        for case, stack, geometry in zip(ids, logits, geometries, strict=True):
            writer.write(case, stack, geometry)


def _autocast(device: torch.device, precision: str) -> Any:
    kinds = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    return torch.autocast(device.type, kinds.get(precision, torch.bfloat16), enabled=precision in kinds)


class _Forward(nn.Module):
    """A function as a module, which is what ttach wraps."""

    def __init__(self, predict: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.predict = predict

    def forward(self, x: Tensor) -> Tensor:
        return self.predict(x)
