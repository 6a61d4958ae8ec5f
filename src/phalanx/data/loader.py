"""Loaders: cached cases -> batches, in an order and with draws that depend on the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from phalanx.core.case import Batch, Case
from phalanx.core.errors import ConfigError
from phalanx.core.labels import LabelSpace
from phalanx.data.cache import Cache, Item
from phalanx.data.views import Views

_HELD_BYTES = 256 * 2**20


class CaseDataset(Dataset[Any]):
    """Cases as (id, image, labels as `LabelSpace.packed_target` makes them), looked up by (epoch, index).

    Args:
        cases: in a fixed order.
        cache: where they are decoded.
        views: the pipeline.
        labels: the label space.
        seed: of the run and fold.
    """

    def __init__(self, cases: Sequence[Case], cache: Cache, views: Views, labels: LabelSpace, seed: int) -> None:
        self.cases, self.cache, self.views, self.labels, self.seed = list(cases), cache, views, labels, seed
        self._held: Any = None

    def __len__(self) -> int:
        return len(self.cases)

    def item(self, index: int) -> Item:
        """A cached case; as many as fit into 256 MiB stay in memory."""
        if self._held is None:
            first = self.cache.item(self.cases[0])
            size = first.image.nbytes + (0 if first.bits is None else first.bits.nbytes)
            self._held = lru_cache(maxsize=max(1, _HELD_BYTES // size))(self._item)
        return self._held(index)

    def _item(self, index: int) -> Item:
        return self.cache.item(self.cases[index])

    def __getitem__(self, key: tuple[int, int]) -> tuple[str, np.ndarray, np.ndarray | None]:
        epoch, index = key
        item = self.item(index)
        seed = int(np.random.SeedSequence((self.seed, epoch, index)).generate_state(1)[0])
        image, bits = self.views(item.image, item.bits, seed)
        return self.cases[index].id, image, None if bits is None else self.labels.packed_target(bits)

    def __getstate__(self) -> dict[str, Any]:
        # A worker started by spawn builds its own memory.
        return {**self.__dict__, "_held": None}


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
