"""Schedules: values by hand, PyTorch's own as references, and the ratio of the groups' rates."""

import math

import pytest
import torch

from phalanx.core import config as configuration
from phalanx.core.errors import ConfigError
from phalanx.train import rates, schedules
from phalanx.train.schedules import Constant, Cosine, CosineRestarts, OneCycle, Plateau, Poly
from phalanx.train.settings import TrainConfig


def sgd(lr: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def test_one_cycle_equals_pytorch() -> None:
    config, lr, total = OneCycle(warm_up=0.3, div=25, final_div=1e4), 0.01, 40
    optimiser = sgd(lr)
    reference = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, lr, total_steps=total, pct_start=0.3, div_factor=25, final_div_factor=1e4, cycle_momentum=False
    )
    for step in range(total):
        assert schedules.rate(config, lr, step, total) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-6)
        optimiser.step()
        if step < total - 1:
            reference.step()


@pytest.mark.parametrize(
    ("config", "make"),
    [
        (Cosine(final=0.1), lambda optimiser: torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 30, eta_min=2e-3)),
        (Poly(power=0.9), lambda optimiser: torch.optim.lr_scheduler.PolynomialLR(optimiser, 30, power=0.9)),
    ],
)
def test_cosine_and_poly_equal_pytorch(config, make) -> None:
    optimiser = sgd(0.02)
    reference = make(optimiser)
    for step in range(30):
        assert schedules.rate(config, 0.02, step, 30) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-5)
        optimiser.step()
        reference.step()


@pytest.mark.parametrize(("patience", "cooldown", "floor"), [(0, 0, 0.0), (2, 0, 0.2), (1, 2, 0.0)])
def test_plateau_equals_pytorch(patience: int, cooldown: int, floor: float) -> None:
    config = Plateau(factor=0.4, patience=patience, threshold=0.01, cooldown=cooldown, floor=floor)
    optimiser = sgd(0.5)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, "max", factor=0.4, patience=patience, threshold=0.01, threshold_mode="abs", cooldown=cooldown,
        min_lr=0.5 * floor, eps=0,
    )  # fmt: skip
    dices = [0.1, 0.3, 0.305, 0.2, 0.3, 0.5, 0.5, 0.5, 0.4, 0.4, 0.9, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1]
    seen = set()
    for count, dice in enumerate(dices, 1):
        reference.step(dice)
        value = schedules.rate(config, 0.5, 3, 10, dices[:count])
        assert value == pytest.approx(optimiser.param_groups[0]["lr"])
        seen.add(round(value, 6))
    assert len(seen) >= 3


def test_cosine_restarts_by_hand() -> None:
    config, floor = CosineRestarts(T_0=10, T_mult=2, eta_max=0.1, T_up=2, gamma=0.5), 0.01
    rates = [schedules.rate(config, floor, step, 100) for step in range(32)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[1] == pytest.approx(0.055)  # half-way up
    assert rates[2] == pytest.approx(0.1)  # the peak
    assert rates[6] == pytest.approx(0.01 + 0.09 * (1 + math.cos(math.pi / 2)) / 2)  # half-way down
    assert rates[10] == pytest.approx(0.01)  # the second cycle, 20 steps long, peak 0.05
    assert rates[12] == pytest.approx(0.05)
    assert rates[30] == pytest.approx(0.01)  # the third
    assert max(rates[10:30]) == pytest.approx(0.05)


def test_constant() -> None:
    assert schedules.rate(Constant(), 0.3, 17, 20) == 0.3


def settings(**changes) -> TrainConfig:
    return TrainConfig.model_validate({"optimiser": {"name": "sgd", "lr": 0.2}, **changes})


def test_a_warm_up_rises_to_where_the_schedule_begins() -> None:
    config = settings(warm_up=3, schedule={"name": "poly", "power": 1.0})
    factors = [rates.factor(config, step, 13, []) for step in range(13)]
    # A quarter, half, three quarters; then ten steps of a straight line from 1 to 0.
    assert factors == pytest.approx([0.25, 0.5, 0.75, *(1 - step / 10 for step in range(10))])


def test_weight_averaging_has_a_rate_of_its_own() -> None:
    config = settings(schedule={"name": "constant"}, swa={"start": 0.6, "lr": 0.05})
    assert [rates.factor(config, step, 10, []) for step in range(10)] == pytest.approx([1.0] * 6 + [0.25] * 4)
    assert rates.factor(settings(schedule={"name": "constant"}, swa={"start": 0.6}), 9, 10, []) == 1.0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ema": 0.9, "swa": {}}, "Use train.ema or train.swa, not both"),
        ({"warm_up": 5}, "Use train.schedule.warm_up"),
        ({"warm_up": 5, "schedule": {"name": "cosine_restarts"}}, "Use train.schedule.T_up"),
        ({"max_steps": 0}, "Set max_steps to -1, or to at least 1"),
        ({"batch_size": "largest"}, "batch_size"),
        ({"optimiser": {"name": "adamw", "momentum": 0.9}}, "momentum"),
    ],
)
def test_contradictions_are_told(changes: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        configuration.validate(TrainConfig, changes)
