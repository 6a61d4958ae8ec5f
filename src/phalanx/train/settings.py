"""The `train:` section of a configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from phalanx.core.catalogue import Strict
from phalanx.train.optimisers import AdamW, OptimiserConfig
from phalanx.train.schedules import OneCycle, ScheduleConfig


class SwaConfig(Strict):
    """Stochastic weight averaging: the mean of the weights at the end of each of the last epochs.

    Source: Izmailov et al. 2018, https://arxiv.org/abs/1803.05407, section 3.2.
    Differs: the rate changes at once, without an annealing phase.

    Args:
        start: share of the run after which averaging begins.
        lr: constant rate from there on; null: the schedule goes on.
    """

    start: float = Field(default=0.75, ge=0, lt=1)
    lr: float | None = Field(default=None, gt=0)


class FreezeConfig(Strict):
    """What does not learn at first.

    Args:
        encoder_epochs: epochs during which the encoder stays as it is, the statistics of its batch norms included.
    """

    encoder_epochs: int = Field(default=0, ge=0)


class TrainConfig(Strict):
    """How the loop runs.

    Args:
        epochs: passes over the training cases.
        max_steps: stop after this many optimiser steps, -1: when the epochs are done.
        batch_size: images a step; `auto`: the largest that fits, found when a run begins and kept in its folder.
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
        warm_up: optimiser steps of linear warm-up before the schedule begins; `one_cycle` and `cosine_restarts` have
            one of their own.
        ema: decay of an exponential moving average of the weights, e.g. 0.999, or null. Validation and prediction use
            the average; its first steps decay faster, `(1 + n) / (10 + n)` at step n.
        swa: stochastic weight averaging, or null.
        freeze: what does not learn at first.
        checkpoint_activations: keep fewer activations and compute them again in the backward pass: less memory, about
            a third more time.
        channels_last: keep images and kernels with the channels side by side in memory, which is the faster order.
        compile: use torch.compile on the stages of the networks.
    """

    epochs: int = Field(default=100, ge=1)
    max_steps: int = Field(default=-1, ge=-1)
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = 8
    accumulate: int = Field(default=1, ge=1)
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    clip_norm: float = Field(default=1.0, ge=0)
    validate_every: int = Field(default=1, ge=1)
    top_k: int = Field(default=3, ge=1)
    keep: Literal["best", "last"] = "best"
    patience: int = Field(default=0, ge=0)
    workers: int = Field(default=0, ge=0)
    prior_bias: bool = True
    warm_up: int = Field(default=0, ge=0)
    ema: float | None = Field(default=None, gt=0, lt=1)
    swa: SwaConfig | None = None
    freeze: FreezeConfig = FreezeConfig()
    checkpoint_activations: bool = False
    channels_last: bool = True
    compile: bool = False
    optimiser: OptimiserConfig = AdamW()
    schedule: ScheduleConfig = OneCycle()

    @model_validator(mode="after")
    def _fits(self) -> TrainConfig:
        if self.max_steps == 0:
            raise ValueError("set max_steps to -1, or to at least 1")
        if self.ema is not None and self.swa is not None:
            raise ValueError("use train.ema or train.swa, not both; set the other to null")
        if self.warm_up and self.schedule.name in ("one_cycle", "cosine_restarts"):
            own = {"one_cycle": "train.schedule.warm_up", "cosine_restarts": "train.schedule.T_up"}
            raise ValueError(f"use {own[self.schedule.name]} instead of train.warm_up with this schedule")
        return self
