"""Learning-rate schedules by name, stepped once an optimiser step.

Each is a pure function `rate(config, lr, step, total) -> learning rate`, so that a plot, a test and the loop agree and
a resumed run needs nothing but the step.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from phalanx.core.catalogue import Strict

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LambdaLR


class Constant(Strict):
    """The optimiser's rate throughout."""

    name: Literal["constant"] = "constant"


class OneCycle(Strict):
    """Cosine warm-up from `lr / div` to `lr`, then cosine down to `lr / (div * final_div)`.

    Source: Smith & Topin 2018, https://arxiv.org/abs/1708.07120.
    Differs: momentum is left alone, the annealing is cosine (as in PyTorch's OneCycleLR).

    Args:
        warm_up: share of the run that the rise takes.
        div: peak over first rate.
        final_div: first over last rate.
    """

    name: Literal["one_cycle"] = "one_cycle"
    warm_up: float = Field(default=0.2, gt=0, lt=1)
    div: float = Field(default=1e3, ge=1)
    final_div: float = Field(default=1e6, ge=1)


class CosineRestarts(Strict):
    """Cosine annealing with warm restarts, a linear warm-up in each cycle and a falling peak.

    Source: Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983, section 3.
    Differs: `T_up` steps of warm-up open each cycle; the peak of cycle i is `eta_max * gamma^i`.

    Args:
        T_0: steps of the first cycle.
        T_mult: each cycle is this many times as long as the one before.
        eta_max: peak rate of the first cycle; the optimiser's `lr` is the floor.
        T_up: warm-up steps of each cycle.
        gamma: peak of a cycle over the peak of the one before.
    """

    name: Literal["cosine_restarts"] = "cosine_restarts"
    T_0: int = Field(default=2000, ge=1)
    T_mult: int = Field(default=1, ge=1)
    eta_max: float = Field(default=3e-3, gt=0)
    T_up: int = Field(default=600, ge=0)
    gamma: float = Field(default=0.5, gt=0, le=1)


ScheduleConfig = Annotated[Constant | OneCycle | CosineRestarts, Field(discriminator="name")]


def rate(config: Constant | OneCycle | CosineRestarts, lr: float, step: int, total: int) -> float:
    """Learning rate of step `step` (0-based) of `total`, for an optimiser whose own rate is `lr`."""
    if config.name == "one_cycle":
        return _one_cycle(config, lr, step, total)
    if config.name == "cosine_restarts":
        return _cosine_restarts(config, lr, step)
    return lr


def build(config: Constant | OneCycle | CosineRestarts, optimiser: Optimizer, lr: float, total: int) -> LambdaLR:
    """A scheduler that sets `rate` at every step."""
    from torch.optim.lr_scheduler import LambdaLR

    return LambdaLR(optimiser, lambda step: rate(config, lr, step, total) / lr)


def _one_cycle(config: OneCycle, lr: float, step: int, total: int) -> float:
    first, last = lr / config.div, lr / (config.div * config.final_div)
    peak = max(config.warm_up * total - 1, 1e-9)
    if step <= peak:
        return _cosine(first, lr, step / peak)
    return _cosine(lr, last, min((step - peak) / max(total - 1 - peak, 1e-9), 1.0))


def _cosine_restarts(config: CosineRestarts, lr: float, step: int) -> float:
    cycle, length = 0, config.T_0
    while step >= length:
        step, cycle, length = step - length, cycle + 1, length * config.T_mult
    peak = max(config.eta_max * config.gamma**cycle, lr)
    if step < config.T_up:
        return lr + (peak - lr) * step / config.T_up
    return _cosine(peak, lr, (step - config.T_up) / max(length - config.T_up, 1))


def _cosine(start: float, end: float, x: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * x)) / 2
