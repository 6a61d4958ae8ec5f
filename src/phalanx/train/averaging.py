"""Averaging: a copy of the method whose weights are a mean over the course of training; it validates and predicts.

`AveragedModel` of torch does the arithmetic. Lightning's callbacks round it were weighed and left: `WeightAveraging`
puts the raw weights into checkpoints of weights alone, though it validated the averaged ones, and validates with the
initial weights until the first update; `StochasticWeightAveraging` never validates the average, adds an epoch, and
refuses schedules that step within an epoch. As a submodule of the adapter the copy is saved and resumed like any other
weight.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from phalanx.train.settings import TrainConfig


def build(config: TrainConfig, method: nn.Module) -> AveragedModel | None:
    """The average that is asked for, or None. It holds nothing of its own until its first update.

    An exponential average averages the running statistics of batch norms like the weights they belong to, and copies
    integers; for a plain mean they are measured anew (see `refresh`).
    """
    if config.ema is not None:
        average = AveragedModel(method, multi_avg_fn=_Ema(config.ema), use_buffers=True)
    elif config.swa is not None:
        average = AveragedModel(method)
    else:
        return None
    return average.requires_grad_(False)


def begun(average: AveragedModel | None) -> bool:
    """Whether there is an average yet."""
    return average is not None and bool(average.n_averaged > 0)


def refresh(average: AveragedModel, images: Iterable[Tensor]) -> None:
    """Measure the statistics of the averaged networks' batch norms in one pass.

    Source: Izmailov et al. 2018, https://arxiv.org/abs/1803.05407, section 3.2.

    Args:
        average: its norms forget what they knew.
        images: `(b, k, h, w)` each, on the device; not looked at when no network has a batch norm.
    """
    update_bn(images, _Predicting(average.module))


class _Ema:
    """Exponential moving average whose decay rises to its final value.

    Without the rise the average would hold on to the initial weights for the first `1 / (1 - decay)` steps.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay

    @torch.no_grad()
    def __call__(self, averaged: Any, current: Any, count: Tensor | int) -> None:
        """Move `averaged` towards `current`; `count` averages were taken before."""
        if not averaged[0].is_floating_point():
            for old, new in zip(averaged, current, strict=True):
                old.copy_(new)
            return
        decay = min(self.decay, (1 + int(count)) / (10 + int(count)))
        get_ema_multi_avg_fn(decay)(averaged, current, count)


class _Predicting(nn.Module):
    """A method whose `forward` is its `predict`, which is what torch's `update_bn` calls."""

    def __init__(self, method: Any) -> None:
        super().__init__()
        self.method = method

    def forward(self, x: Tensor) -> Tensor:
        return self.method.predict(x)
