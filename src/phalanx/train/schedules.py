"""Learning-rate schedules by name, stepped once an optimiser step.

Each is a pure function of the step and the validations so far, `rate(config, lr, step, total, dices) -> learning rate`,
so that a plot, a test and the loop agree and a resumed run needs nothing but these.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from phalanx.core.catalogue import Strict


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


class Cosine(Strict):
    """Half a cosine from `lr` down to `final * lr`.

    Source: Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983, section 3, one cycle.

    Args:
        final: where it would end, one step after the last, as a share of `lr`.
    """

    name: Literal["cosine"] = "cosine"
    final: float = Field(default=0.0, ge=0, le=1)


class Poly(Strict):
    """`lr * (1 - step / total)^power`. Source: Chen et al. 2018, https://arxiv.org/abs/1606.00915, section 4.1."""

    name: Literal["poly"] = "poly"
    power: float = Field(default=0.9, gt=0)


class Plateau(Strict):
    """The rate is multiplied by `factor` whenever validation Dice has not risen for a while; decided once a validation.

    Args:
        factor: new rate over old rate.
        patience: validations in a row that may pass without a better Dice; the next one lowers the rate.
        threshold: a Dice counts as better when it is above the best so far by more than this.
        cooldown: validations after a reduction that do not count.
        floor: lowest rate, as a share of `lr`.
    """

    name: Literal["plateau"] = "plateau"
    factor: float = Field(default=0.5, gt=0, lt=1)
    patience: int = Field(default=5, ge=0)
    threshold: float = Field(default=1e-4, ge=0)
    cooldown: int = Field(default=0, ge=0)
    floor: float = Field(default=1e-3, ge=0, le=1)


Schedule = Constant | OneCycle | CosineRestarts | Cosine | Poly | Plateau
ScheduleConfig = Annotated[Schedule, Field(discriminator="name")]


def rate(config: Schedule, lr: float, step: int, total: int, dices: Sequence[float] = ()) -> float:
    """Learning rate of step `step` (0-based) of `total`, for an optimiser whose own rate is `lr`.

    Args:
        config: the schedule.
        lr: the optimiser's rate.
        step: optimiser steps taken so far.
        total: optimiser steps of the whole run; no rate is asked for beyond it but by a scheduler that looks ahead.
        dices: validation Dice of every validation so far, in order.
    """
    if isinstance(config, OneCycle):
        return _one_cycle(config, lr, step, total)
    if isinstance(config, CosineRestarts):
        return _cosine_restarts(config, lr, step)
    if isinstance(config, Cosine):
        return _cosine(lr, config.final * lr, min(step / max(total, 1), 1.0))
    if isinstance(config, Poly):
        return lr * (1 - min(step / max(total, 1), 1.0)) ** config.power
    if isinstance(config, Plateau):
        return lr * max(config.factor ** _reductions(config, dices), config.floor)
    return lr


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


def _reductions(config: Plateau, dices: Sequence[float]) -> int:
    """How often the rate was lowered in the course of these validations."""
    best, bad, cooling, count = -math.inf, 0, 0, 0
    for dice in dices:
        better = dice > best + config.threshold
        best, bad = (dice, 0) if better else (best, bad + 1)
        if cooling:
            cooling, bad = cooling - 1, 0
        if bad > config.patience:
            count, cooling, bad = count + 1, config.cooldown, 0
    return count
