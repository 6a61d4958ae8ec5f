"""Mixed batches: what `views.copy_paste`, `cutmix`, `mixup` and `multi_scale` do to a batch of training samples.

It is done where the batch is put together, in the workers, and drawn from a seed of the batch's own keys: neither the
number of workers nor a resume changes what is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import Dataset

from phalanx.core.case import Batch
from phalanx.core.catalogue import nearest
from phalanx.core.errors import ConfigError
from phalanx.core.labels import LabelSpace
from phalanx.data import mixing
from phalanx.data.loader import CaseDataset, collate
from phalanx.data.settings import ViewsConfig

# Keeps what is drawn for a batch apart from what is drawn for its samples.
_STREAM = 0x6D6978


class MixedCases(Dataset[Any]):
    """A data set whose batches are mixed.

    Args:
        cases: where the samples come from, looked up by keys of integers.
        views: the settings.
        labels: the label space.

    Raises:
        ConfigError: `views.copy_paste` names a class that the data set has not.
    """

    def __init__(self, cases: CaseDataset, views: ViewsConfig, labels: LabelSpace) -> None:
        self.cases, self.views, self.seed = cases, views, cases.seed
        self.channels = _channels(labels, views.copy_paste.classes if views.copy_paste else ())

    @staticmethod
    def wanted(views: ViewsConfig) -> bool:
        """Whether the settings ask for anything that is done to batches."""
        return any(part is not None for part in (views.copy_paste, views.cutmix, views.mixup, views.multi_scale))

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, key: Any) -> Any:
        return self.cases[key]

    def __getitems__(self, keys: Sequence[Any]) -> Batch:
        """The whole batch of these keys; PyTorch's loader asks for it in one call."""
        rng = np.random.default_rng((self.seed, _STREAM, *_numbers(keys)))
        return self._mix(collate([self.cases[key] for key in keys]), rng)

    def _mix(self, batch: Batch, rng: np.random.Generator) -> Batch:
        views, x, y = self.views, batch.x.numpy(), batch.y.numpy()
        if views.copy_paste is not None:
            mixing.paste(x, y, views.copy_paste, self.channels, rng)
        if views.cutmix is not None:
            mixing.cut(x, y, views.cutmix, rng)
        if views.mixup is not None:
            other, batch.share = mixing.blend(x, y, views.mixup, rng)
            batch.other = None if other is None else torch.from_numpy(other)
        if views.multi_scale is not None:
            _resize(batch, mixing.scaled((x.shape[2], x.shape[3]), views.multi_scale, rng))
        return batch


def _resize(batch: Batch, size: tuple[int, int]) -> None:
    """Images bilinearly, averaged where they shrink; labels by the nearest pixel, which packed ones survive."""
    if batch.x.shape[2:] == size:
        return
    batch.x = functional.interpolate(batch.x, size, mode="bilinear", antialias=True)
    batch.y = _nearest(batch.y, size)
    batch.other = None if batch.other is None else _nearest(batch.other, size)


def _nearest(labels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    if labels.ndim == 4:
        return functional.interpolate(labels, size, mode="nearest-exact")
    return functional.interpolate(labels[:, None], size, mode="nearest-exact")[:, 0]


def _channels(labels: LabelSpace, names: Sequence[str]) -> list[int]:
    """Scored classes of these names, all when there are none: class indices, or numbers of bits."""
    unknown = sorted(set(names) - set(labels.scored_names))
    if unknown:
        raise ConfigError(
            "views.copy_paste.classes names no class", unknown[0], nearest(unknown[0], labels.scored_names)
        )
    chosen = names or labels.scored_names
    return [labels.names.index(name) for name in labels.scored_names if name in chosen]


def _numbers(keys: Any) -> Iterator[int]:
    """The integers of nested keys, in order."""
    for key in keys:
        if isinstance(key, tuple | list):
            yield from _numbers(key)
        else:
            yield int(key)
