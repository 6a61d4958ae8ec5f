"""The `train:` section of a configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from phalanx.core.catalogue import Strict
from phalanx.train.optimisers import AdamW, OptimiserConfig
from phalanx.train.schedules import OneCycle, ScheduleConfig


class TrainConfig(Strict):
    """How the loop runs.

    Args:
        epochs: passes over the training cases.
        max_steps: stop after this many optimiser steps, -1: when the epochs are done.
        batch_size: images a step.
        accumulate: batches whose gradients are summed before a step.
        precision: `auto` is bf16 where the processor has it, else 32 bit.
        clip_norm: largest norm of the gradient, 0: not clipped.
        validate_every: epochs between validations, and between the checkpoints that a killed run goes on from.
        top_k: best checkpoints kept, by validation Dice.
        keep: which weights predict: `best` by validation Dice, or the `last`. `last` leaves the out-of-fold score
            untouched by a choice made on the same fold.
        patience: validations without a better Dice before training stops, 0: never.
        workers: processes that prepare batches.
        prior_bias: start the head's bias at the classes' mean share of the pixels.
        compile: use torch.compile.
    """

    epochs: int = Field(default=100, ge=1)
    max_steps: int = Field(default=-1, ge=-1)
    batch_size: int = Field(default=8, ge=1)
    accumulate: int = Field(default=1, ge=1)
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    clip_norm: float = Field(default=1.0, ge=0)
    validate_every: int = Field(default=1, ge=1)
    top_k: int = Field(default=3, ge=1)
    keep: Literal["best", "last"] = "best"
    patience: int = Field(default=0, ge=0)
    workers: int = Field(default=0, ge=0)
    prior_bias: bool = True
    compile: bool = False
    optimiser: OptimiserConfig = AdamW()
    schedule: ScheduleConfig = OneCycle()

    @model_validator(mode="after")
    def _steps(self) -> TrainConfig:
        if self.max_steps == 0:
            raise ValueError("max_steps must be -1 or at least 1")
        return self
