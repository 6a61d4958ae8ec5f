"""Every optimiser, schedule and averaging, found in the unions of the configuration: a step, and an exact resume."""

from itertools import cycle, islice
from pathlib import Path
from typing import get_args

import pytest
import torch

from phalanx.train import optimisers, rates
from phalanx.train.optimisers import OptimiserConfig
from phalanx.train.schedules import ScheduleConfig


def members(union) -> list:
    return list(get_args(get_args(union)[0]))


OPTIMISERS, SCHEDULES = members(OptimiserConfig), members(ScheduleConfig)
AVERAGES = [{}, {"ema": 0.9}, {"swa": {"start": 0.4}}, {"swa": {"start": 0.5, "lr": 2e-3}, "validate_every": 3}]
# A schedule's own defaults are made for runs of thousands of steps, here there are eight.
SHORT = {"cosine_restarts": {"T_0": 3, "T_up": 1, "eta_max": 8e-3}, "plateau": {"patience": 0, "threshold": 1.0}}
COUNT = max(len(OPTIMISERS), len(SCHEDULES), len(AVERAGES))


def wrapped(entries: list) -> list:
    return list(islice(cycle(entries), COUNT))


@pytest.mark.parametrize(
    ("optimiser", "schedule", "average"),
    [
        pytest.param(optimiser, schedule, average, id="-".join([optimiser().name, schedule().name, *average]))
        for optimiser, schedule, average in zip(wrapped(OPTIMISERS), wrapped(SCHEDULES), wrapped(AVERAGES), strict=True)
    ],
)
def test_a_killed_run_ends_as_an_unbroken_one(fake, tmp_path: Path, optimiser, schedule, average) -> None:
    name = schedule().name
    config = fake.settings(
        optimiser={"name": optimiser().name, "lr": 5e-3, "backbone_lr_factor": 0.5},
        schedule={"name": name, **SHORT.get(name, {})},
        # The run goes on with the third epoch: with a frozen encoder, or one that has learned.
        freeze={"encoder_epochs": 3 if len(name) % 2 else 1},
        keep="best",
        **average,
    )
    fake.assert_resumes(tmp_path, config, lambda: fake.method(staged=True))


def test_the_unions_are_found() -> None:
    assert {entry().name for entry in OPTIMISERS} >= {"sgd", "rmsprop", "adam", "adamw", "radam"}
    assert {entry().name for entry in SCHEDULES} >= {
        "constant", "one_cycle", "cosine_restarts", "poly", "cosine", "plateau",
    }  # fmt: skip


@pytest.mark.parametrize("kind", OPTIMISERS, ids=lambda kind: kind().name)
def test_an_optimiser_lowers_a_bowl(kind) -> None:
    place = torch.nn.Parameter(torch.tensor([[3.0, -2.0]]))
    optimiser = optimisers.build(kind(lr=0.05), [place])
    for _ in range(300):
        optimiser.zero_grad()
        place.square().sum().backward()
        optimiser.step()
    assert place.square().sum() < 0.2


@pytest.mark.parametrize("kind", SCHEDULES, ids=lambda kind: kind().name)
def test_a_schedule_stays_positive_and_finite(fake, kind) -> None:
    config = fake.settings(schedule={"name": kind().name})
    factors = [rates.factor(config, step, 50, [0.1]) for step in range(50)]
    assert all(0 < value < 1e3 for value in factors)
