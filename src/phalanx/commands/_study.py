"""Study: the configuration of a search, typed. Light: importing it loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from phalanx.core import catalogue, config
from phalanx.core.catalogue import Strict
from phalanx.core.errors import ConfigError

Scalar = bool | int | float | str | None
Step = catalogue.choice("steps")


class Axis(Strict):
    """The values of one key.

    Args:
        low: smallest; whole numbers on both ends: only whole numbers are tried.
        high: largest.
        log: spread evenly over the orders of magnitude.
        step: distance of the values.
        choices: instead of a range: values, or label -> any value, a mapping being laid over what stands there.
        when: key -> value (or values) it must have for this key to matter; for choices with labels, the label.
    """

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    step: int | float | None = Field(default=None, gt=0)
    choices: tuple[Scalar, ...] | dict[str, Any] | None = Field(default=None, min_length=1)
    when: dict[str, Any] = {}

    @model_validator(mode="after")
    def _one_kind(self) -> Axis:
        if (self.choices is None) == (self.low is None and self.high is None):
            raise ValueError("give either choices, or low and high")
        if self.choices is not None:
            if self.log or self.step is not None:
                raise ValueError("log and step belong to low and high, not to choices")
            return self
        if self.low is None or self.high is None or not self.low < self.high:
            raise ValueError("low and high are both needed, low below high")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log needs low above 0 and no step")
        return self

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return isinstance(self.low, int) and isinstance(self.high, int) and not isinstance(self.step, float)

    @property
    def labels(self) -> list[Scalar]:
        """The choices as they are called; empty for a range."""
        return list(self.choices or ())

    @property
    def ends(self) -> list[Any]:
        """The values that are held against the schema before the first trial."""
        return self.labels if self.choices is not None else [self.low, self.high]

    def value(self, label: Any) -> Any:
        """What a suggestion stands for."""
        return self.choices[label] if isinstance(self.choices, dict) else label

    def grid(self) -> list[Any]:
        """Every value, where they can be counted; else none."""
        if self.choices is not None:
            return self.labels
        assert self.low is not None and self.high is not None
        step = self.step or (1 if self.whole and not self.log else None)
        if step is None:
            return []
        count = int((self.high - self.low) / step + 1e-9) + 1
        return [self.low + step * place for place in range(count)]

    def __str__(self) -> str:
        if self.choices is not None:
            return "one of " + ", ".join(str(label) for label in self.labels)
        kind = ", log" if self.log else f", step {self.step:g}" if self.step else ""
        return f"{self.low:g} to {self.high:g}{kind}"


class SamplerConfig(Strict):
    """Who suggests values.

    Args:
        name: tpe (conditional spaces, several objectives), cmaes and gp (numbers, one objective each trial depends on),
            nsga2 (several objectives, many trials), random, grid.
        startup_trials: random ones at the beginning (tpe, gp, cmaes).
    """

    name: Literal["tpe", "cmaes", "gp", "random", "grid", "nsga2"] = "tpe"
    startup_trials: int = Field(default=10, ge=0)


class PrunerConfig(Strict):
    """Who ends a trial early.

    Args:
        name: median (below the median of the trials so far at the same point), hyperband, wilcoxon (worse than the best
            trial fold by fold; of five folds or more), none.
        startup_trials: finished trials before the median is believed.
        warm_up: validations of a trial before it can be ended (median), or from which on (hyperband).
        reduction: share that hyperband lets go on, 1 of so many.
        p: above this wilcoxon believes in luck.
    """

    name: Literal["none", "median", "hyperband", "wilcoxon"] = "median"
    startup_trials: int = Field(default=5, ge=0)
    warm_up: int = Field(default=1, ge=1)
    reduction: int = Field(default=3, ge=2)
    p: float = Field(default=0.1, gt=0, lt=1)


class StudyConfig(Strict):
    """A study.

    Args:
        of: `training` trains each trial; `postprocess` scores thresholds and steps on a run's out-of-fold store.
        space: dotted key of the experiment -> its values.
        sampler: its name, or a mapping.
        pruner: its name, or a mapping; none where there are several objectives.
        objectives: `dice` (validation Dice, mean over the trial's folds), `seconds` (of its training).
        folds: that a trial trains, the same in all.
        repeats: how often the unchanged configuration is trained, with other seeds, to see what luck alone does.
        validations: of a training, about so many, evenly spread, the last one at its end; 0: as the experiment says.
        minutes: after which a worker starts no further trial.
        retries: of a trial whose worker was killed.
    """

    of: Literal["training", "postprocess"] = "training"
    space: dict[str, Axis] = Field(min_length=1)
    sampler: SamplerConfig = SamplerConfig()
    pruner: PrunerConfig = PrunerConfig()
    objectives: tuple[Literal["dice", "seconds"], ...] = Field(default=("dice",), min_length=1)
    folds: tuple[int, ...] = Field(default=(0,), min_length=1)
    repeats: int = Field(default=3, ge=0)
    validations: int = Field(default=5, ge=0)
    minutes: float | None = Field(default=None, gt=0)
    retries: int = Field(default=3, ge=0)

    @field_validator("sampler", "pruner", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, values: Any) -> Any:
        """Neither several objectives nor post-processing can be pruned; a pruner that is asked for is refused below."""
        if not isinstance(values, dict):
            return values
        if values.get("of") == "postprocess":
            # Without chance there is nothing to repeat.
            return {"pruner": "none", "repeats": 1, **values}
        return {"pruner": "none", **values} if len(values.get("objectives") or ()) > 1 else values

    @model_validator(mode="after")
    def _fits(self) -> StudyConfig:
        if self.objectives[0] != "dice" or len(set(self.objectives)) < len(self.objectives):
            raise ValueError("objectives must be [dice] or [dice, seconds]")
        if len(self.objectives) > 1 and self.pruner.name != "none":
            raise ValueError("a study of several objectives cannot be pruned; say pruner: none")
        if len(self.objectives) > 1 and self.sampler.name == "cmaes":
            raise ValueError("cmaes knows one objective only; choose tpe, gp or nsga2")
        if self.of == "postprocess" and (self.pruner.name != "none" or len(self.objectives) > 1):
            raise ValueError("postprocess trains nothing: no pruner, and dice alone")
        # The smallest p of n pairs is 1/2^n, and a trial whose last fold is done is not ended any more.
        if self.pruner.name == "wilcoxon" and 0.5 ** (len(self.folds) - 1) >= self.pruner.p:
            raise ValueError("wilcoxon compares fold by fold and could end no trial of so few folds; it takes five")
        if self.sampler.name == "grid":
            endless = [key for key, axis in self.space.items() if not axis.grid() or axis.when]
            if endless:
                raise ValueError(f"a grid needs choices or a step, and no when: {endless[0]} has none")
        return self


class Postprocess(Strict):
    """What a study of post-processing starts from: the store cut at 0.5.

    Args:
        threshold: probability from which on a pixel is kept.
        steps: of every class.
    """

    threshold: float = Field(default=0.5, ge=0.05, le=0.95)
    steps: tuple[Step, ...] = ()  # type: ignore[valid-type]


def load(folder: Path, name: str, changes: Mapping[str, Any]) -> StudyConfig:
    """`configs/study/NAME.yaml` with the command line's `study.KEY=value`.

    Raises:
        ConfigError: naming the bad key and the nearest valid ones.
    """
    values = config.merge(config.load(folder / "study", name), dict(changes))
    axes = values.get("space")
    try:
        # Each by itself first: an error then names the nearest key of an axis.
        for key, axis in axes.items() if isinstance(axes, dict) else ():
            if isinstance(axis, dict):
                _validated(axis, key)
        return config.validate(StudyConfig, values)
    except ConfigError as error:
        raise ConfigError(f"study {name}: {error.wrong}", error.seen, error.fix) from None


def _validated(axis: dict[str, Any], key: str) -> None:
    try:
        config.validate(Axis, axis)
    except ConfigError as error:
        raise ConfigError(f"{key}: {error.wrong}", error.seen, error.fix) from None
