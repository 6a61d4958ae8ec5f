"""Schedules: values by hand, PyTorch's own one-cycle, and the same rate after a resume."""

import math

import pytest
import torch

from phalanx.train import schedules
from phalanx.train.schedules import Constant, CosineRestarts, OneCycle


def test_one_cycle_equals_pytorch() -> None:
    config, lr, total = OneCycle(warm_up=0.3, div=25, final_div=1e4), 0.01, 40
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    reference = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, lr, total_steps=total, pct_start=0.3, div_factor=25, final_div_factor=1e4, cycle_momentum=False
    )
    for step in range(total):
        assert schedules.rate(config, lr, step, total) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-6)
        optimiser.step()
        if step < total - 1:
            reference.step()


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


def test_the_scheduler_sets_the_rate() -> None:
    config = OneCycle()
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    scheduler = schedules.build(config, optimiser, 0.2, 10)
    for step in range(10):
        assert optimiser.param_groups[0]["lr"] == pytest.approx(schedules.rate(config, 0.2, step, 10))
        optimiser.step()
        scheduler.step()
