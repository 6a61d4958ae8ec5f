"""Rates: the schedule, the warm-up before it and the constant rate of weight averaging, put together."""

from __future__ import annotations

from collections.abc import Sequence

from phalanx.train import schedules
from phalanx.train.settings import TrainConfig


def factor(config: TrainConfig, step: int, total: int, dices: Sequence[float]) -> float:
    """What the rate of every group of parameters is multiplied by, so that their ratios stay.

    Args:
        config: the `train:` section.
        step: optimiser steps taken so far.
        total: optimiser steps of the whole run.
        dices: validation Dice of every validation so far.

    Returns:
        The rate of this step over `config.optimiser.lr`.
    """
    lr, up = config.optimiser.lr, config.warm_up
    if config.swa is not None and config.swa.lr is not None and step >= averaged_from(config, total):
        return config.swa.lr / lr
    if step < up:
        first = schedules.rate(config.schedule, lr, 0, max(total - up, 1), dices)
        return first / lr * (step + 1) / (up + 1)
    return schedules.rate(config.schedule, lr, step - up, max(total - up, 1), dices) / lr


def averaged_from(config: TrainConfig, total: int) -> int:
    """The optimiser step (0-based) with which stochastic weight averaging begins."""
    assert config.swa is not None
    return int(config.swa.start * total)
