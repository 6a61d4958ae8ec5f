"""Loaders: cached cases -> batches, in an order and with draws that depend on the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from phalanx.core.case import Batch, Case
from phalanx.core.errors import ConfigError
from phalanx.core.labels import LabelSpace
from phalanx.data import windows
from phalanx.data.cache import Cache, Held, Item
from phalanx.data.views import Views
from phalanx.data.windows import Window

# Keeps what is drawn for a window apart from what its views draw.
_STREAM = 0x77696E


class CaseDataset(Dataset[Any]):
    """Cases as (id, image, labels as `LabelSpace.packed_target` makes them), looked up by (epoch, index).

    With windows, index `i` is a window of case `i % len(cases)`.

    Args:
        cases: in a fixed order.
        cache: where they are decoded.
        views: the pipeline.
        labels: the label space.
        seed: of the run and fold.
        window: which part of an image a sample shows; all of it when None.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        cache: Cache,
        views: Views,
        labels: LabelSpace,
        seed: int,
        *,
        window: Window | None = None,
    ) -> None:
        self.cases, self.views, self.labels, self.seed = list(cases), views, labels, seed
        self.window, self.held, self.shrunk = window, Held(cache), None
        if window is not None and window.full:
            keep = cache.keep_aspect or cache.size is None
            self.shrunk = Held(replace(cache, size=window.size, keep_aspect=keep))

    def __len__(self) -> int:
        return len(self.cases) * (1 if self.window is None else self.window.per_image)

    def item(self, index: int) -> Item:
        """A whole case."""
        return self.held.item(self.cases[index])

    def __getitem__(self, key: tuple[int, int]) -> tuple[str, np.ndarray, np.ndarray | None]:
        case = self.cases[key[1] % len(self.cases)]
        seed = int(np.random.SeedSequence((self.seed, *key)).generate_state(1)[0])
        image, bits = self.views(*self._shown(case, key), seed)
        return case.id, image, None if bits is None else self.labels.packed_target(bits)

    def _shown(self, case: Case, key: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
        """Image `(h, w, k)` and packed masks `(h, w, planes)` of a sample, before its views."""
        if self.window is None:
            entry = self.held.entry(case)
            return entry.rows(0, entry.geometry.network[0])
        rng = np.random.default_rng((_STREAM, self.seed, *key))
        if self.shrunk is not None and rng.random() < self.window.full:
            return self.shrunk.entry(case).rows(0, self.window.size[0])
        entry = self.held.entry(case)
        top, left = windows.corner(self.window, entry.geometry, entry.truth, self.labels.scored_names, rng)
        (height, width), frame = self.window.size, entry.geometry.network
        image, bits = (
            None if part is None else windows.padded(part[:, left : left + width], self.window.size)
            for part in entry.rows(top, min(top + height, frame[0]))
        )
        assert image is not None
        return image, bits


class EpochSampler(Sampler[tuple[int, int]]):
    """(epoch, index) pairs: a fresh permutation in each epoch, or the cases' own order.

    The epoch travels with the index, so workers that outlive it draw the right sample.
    """

    def __init__(self, length: int, seed: int, shuffle: bool) -> None:
        self.length, self.seed, self.shuffle, self.epoch = length, seed, shuffle, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the loop before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.arange(self.length)
        if self.shuffle:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(self.length)
        return ((self.epoch if self.shuffle else 0, int(index)) for index in order)


def collate(samples: Sequence[tuple[str, np.ndarray, np.ndarray | None]] | Batch) -> Batch:
    """Samples as one batch; `y` is empty when a sample has no labels. A batch that is made already stays as it is.

    Raises:
        ConfigError: the views made images of different sizes.
    """
    if isinstance(samples, Batch):
        return samples
    shapes = {image.shape[1:]: key for key, image, _ in samples}
    if len(shapes) > 1:
        seen = " and ".join(f"{shape[0]}x{shape[1]} ({key})" for shape, key in list(shapes.items())[:2])
        fix = "end views.train with a RandomCrop or Resize to one size"
        raise ConfigError("the images of a batch differ in size", seen, fix)
    ids, images, targets = zip(*samples, strict=True)
    labelled = all(target is not None for target in targets)
    y = torch.from_numpy(np.stack(targets)) if labelled else torch.empty(0, dtype=torch.uint8)
    return Batch(torch.from_numpy(np.stack(images)), y, ids)


def loader(dataset: Any, batch_size: int, *, workers: int, shuffle: bool) -> DataLoader[Any]:
    """Batches of a `CaseDataset` or of what wraps one, its labels packed; `LabelSpace.unpack` opens them.

    In training a last, smaller batch is left out: batch norm cannot learn from one image.
    """
    return DataLoader(
        dataset,
        batch_size,
        sampler=EpochSampler(len(dataset), dataset.seed, shuffle),
        num_workers=workers,
        collate_fn=collate,
        drop_last=shuffle and len(dataset) >= batch_size,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )
