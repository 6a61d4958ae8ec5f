"""Samplers and pruners of Optuna, from a study's configuration."""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
from optuna.trial import Trial

from phalanx.commands._study import Axis, PrunerConfig, SamplerConfig
from phalanx.commands._study_space import Space
from phalanx.core.errors import ConfigError


def suggest(trial: Trial, key: str, axis: Axis) -> Any:
    """A value for a key."""
    if axis.choices is not None:
        return trial.suggest_categorical(key, axis.labels)
    assert axis.low is not None and axis.high is not None
    if axis.whole:
        return trial.suggest_int(key, int(axis.low), int(axis.high), step=int(axis.step or 1), log=axis.log)
    return trial.suggest_float(key, axis.low, axis.high, step=axis.step, log=axis.log)


def sampler(settings: SamplerConfig, space: Space, seed: int, place: int) -> optuna.samplers.BaseSampler:
    """The sampler of one trial; another place in the study draws other numbers."""
    samplers = optuna.samplers
    drawn = int(np.random.SeedSequence((seed, place)).generate_state(1)[0])
    if settings.name == "random":
        return samplers.RandomSampler(drawn)
    if settings.name == "grid":
        # The same order of the points for all workers and sessions.
        return samplers.GridSampler({key: axis.grid() for key, axis in space.axes.items()}, seed)
    if settings.name == "gp":
        return samplers.GPSampler(seed=drawn, n_startup_trials=settings.startup_trials, warn_independent_sampling=False)
    if settings.name == "cmaes":
        return _cmaes(settings, drawn)
    if settings.name == "nsga2":
        return samplers.NSGAIISampler(seed=drawn)
    return samplers.TPESampler(
        seed=drawn, n_startup_trials=settings.startup_trials, multivariate=True, group=True, constant_liar=True
    )


def pruner(settings: PrunerConfig, steps: int) -> optuna.pruners.BasePruner:
    """The pruner of trials that report so many times."""
    pruners = optuna.pruners
    if settings.name == "median":
        # A trial is never ended by fewer than two others at the same point.
        return pruners.MedianPruner(settings.startup_trials, settings.warm_up - 1, n_min_trials=2)
    if settings.name == "hyperband":
        return pruners.HyperbandPruner(
            min_resource=settings.warm_up, max_resource=max(steps, settings.warm_up),
            reduction_factor=settings.reduction,
        )  # fmt: skip
    if settings.name == "wilcoxon":
        return pruners.WilcoxonPruner(p_threshold=settings.p)
    return pruners.NopPruner()


def _cmaes(settings: SamplerConfig, seed: int) -> optuna.samplers.BaseSampler:
    try:
        return optuna.samplers.CmaEsSampler(
            seed=seed, n_startup_trials=settings.startup_trials, warn_independent_sampling=False
        )
    except ImportError:
        raise ConfigError("the sampler cmaes needs a package more", "cmaes", 'pip install "phalanx[tune]"') from None
