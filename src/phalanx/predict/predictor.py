"""Predictor: networks' mean logits for a stream of images, case by case into a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from phalanx.core.geometry import Geometry
from phalanx.predict import windows
from phalanx.predict.settings import PredictConfig
from phalanx.predict.views import Predict
from phalanx.store import predictions
from phalanx.store.predictions import Writer

Batches = Iterable[tuple[Sequence[str], Tensor, Sequence[Geometry]]]


def into_store(looks: Sequence[Predict], batches: Batches, writer: Writer, *, precision: str) -> None:
    """Write the mean logits of `looks` (the networks of several folds, each under several views) for every image.

    Args:
        looks: each images `(b, k, h, w)` -> logits `(b, c, h, w)`, on its own device.
        batches: (ids, images, geometries); cases the writer already has should not come again.
        writer: an open store.
        precision: Lightning's name, as in training (`bf16-mixed`, `32-true` ...).
    """
    device = _device()
    for ids, images, geometries in batches:
        x = images.to(device, memory_format=torch.channels_last)
        total: Any = 0
        for look in looks:
            with torch.inference_mode(), _autocast(device, precision):
                total = total + look(x).float()
        logits: np.ndarray = (total / len(looks)).cpu().numpy()
        for case, stack, geometry in zip(ids, logits, geometries, strict=True):
            writer.write(case, stack, geometry)


def strips_into_store(
    looks: Sequence[Predict], batches: Batches, writer: Writer, *, precision: str, config: PredictConfig
) -> None:
    """The same image by image, in the windows of `config`, or each as a whole at its own size; see `into_store`."""
    device = _device()
    for ids, images, geometries in batches:
        for case, image, geometry in zip(ids, images, geometries, strict=True):
            with torch.inference_mode(), _autocast(device, precision):
                strips = windows.slide(looks, image.to(device), config.window, config.batch_size)
                writer.write_strips(case, _on_host(strips), geometry)


def infer(config: PredictConfig) -> Callable[[Predict, Tensor], Iterator[Codes]]:
    """How validation predicts a batch in the windows of `config`: what a store would hold of each image."""

    def through(predict: Predict, images: Tensor) -> Iterator[Codes]:
        for image in images:
            codes, first = np.empty((0, *image.shape[1:]), np.int8), 0
            for strip in _on_host(windows.slide([predict], image, config.window, config.batch_size)):
                codes = codes if len(codes) else np.empty((len(strip), *image.shape[1:]), np.int8)
                codes[:, first : first + strip.shape[1]] = predictions.quantised(strip)
                first += strip.shape[1]
            yield Codes(codes)

    return through


class Codes:
    """Logits `(c, h, w)` as a store's int8 codes, restored when they are looked at, class by class.

    Args:
        codes: see `quantise`.
    """

    def __init__(self, codes: np.ndarray) -> None:
        self.codes, self.shape = codes, codes.shape

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, key: Any) -> np.ndarray:
        return predictions.restore(self.codes[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or np.float32, copy=False)


def _on_host(strips: Iterable[tuple[int, Tensor]]) -> Iterator[np.ndarray]:
    return (strip.cpu().numpy() for _, strip in strips)


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _autocast(device: torch.device, precision: str) -> Any:
    kinds = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    return torch.autocast(device.type, kinds.get(precision, torch.bfloat16), enabled=precision in kinds)
