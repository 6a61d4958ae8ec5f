"""Experiment: the whole configuration of a run, every key typed. Light: importing it does not load torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from phalanx.core import catalogue, config
from phalanx.core.catalogue import Strict
from phalanx.core.errors import ConfigError
from phalanx.data.settings import DataConfig, ViewsConfig
from phalanx.predict.settings import PredictConfig
from phalanx.train.settings import TrainConfig

_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
# Transforms that show left as right.
_MIRRORING = frozenset({"HorizontalFlip", "D4", "SquareSymmetry", "Transpose"})


class SubmitConfig(Strict):
    """The `submit:` section.

    Args:
        dialect: a named dialect of `mask/dialect.py`.
        sample: a sample submission to compare with, relative to the data set's root; ignored when absent.
    """

    dialect: str = "handbone"
    sample: str | None = None


class Experiment(Strict):
    """A run, from data to submission.

    Args:
        run: name of the run's folder; the configuration's name unless told otherwise.
        runs: where run folders lie.
        seed: seeds everything.
        members: name -> what this member changes (`model`, `loss`, `method`, `train`, `views`, `predict`, `seed`,
            `data.size`, `data.fit`, `data.window`). Empty: one member, the experiment itself.
    """

    run: str = Field(pattern=_NAME)
    runs: Path = Path("runs")
    seed: int = Field(default=0, ge=0, lt=2**31)
    data: DataConfig
    views: ViewsConfig = ViewsConfig()
    model: catalogue.choice("models")  # type: ignore[valid-type]
    loss: catalogue.choice("losses") = Field(default={"name": "weighted_sum"}, validate_default=True)  # type: ignore[valid-type]
    method: catalogue.choice("methods") = Field(default={"name": "supervised"}, validate_default=True)  # type: ignore[valid-type]
    train: TrainConfig = TrainConfig()
    predict: PredictConfig = PredictConfig()
    submit: SubmitConfig = SubmitConfig()
    members: dict[str, dict[str, Any]] = {}

    @model_validator(mode="after")
    def _fits(self) -> Experiment:
        step = getattr(self.model, "multiple", 1)
        least, data, window = getattr(self.model, "least", step), self.data, self.predict.window
        sizes = {
            "data.size": None if data.fit == "native" or (data.window and window) else data.size,
            "data.window.size": data.window.size if data.window else None,
            "predict.window.size": window.size if window else None,
        }
        for name, size in sizes.items():
            if size and any(side % step or side < least for side in size):
                said = f"a multiple of {step}" + (f", {least} or more" if least > step else "")
                raise ValueError(f"{name} must be {said} for this network, is {list(size)}")
        if window and data.fit != "native" and any(map(int.__gt__, window.size, data.size)):
            raise ValueError(f"predict.window.size {list(window.size)} is larger than data.size {list(data.size)}")
        return self

    @model_validator(mode="after")
    def _one_side(self) -> Experiment:
        turned = self.predict.flips in ("horizontal", "both")
        if self.data.mirror and turned and not any(view.get("name") in _MIRRORING for view in self.views.train):
            raise ValueError(
                f"with predict.flips={self.predict.flips} the network sees the side that data.mirror keeps from it in "
                "training; set predict.flips to none or vertical"
            )
        return self


def load(folder: Path, name: str, overrides: Sequence[str]) -> Experiment:
    """`configs/NAME.yaml` with overrides, validated, its members too.

    Raises:
        ConfigError: naming the bad key and the nearest valid ones.
    """
    values = config.load(folder, name, overrides)
    values.setdefault("run", name)
    for override in overrides:
        for changes in (values.get("members") or {}).values():
            _forget(changes, override.partition("=")[0].split("."))
    # The light sections first: a typo in them is told before any method, and with it torch, is imported.
    experiment = config.validate(Experiment, values)
    members(experiment)
    return experiment


def members(experiment: Experiment) -> dict[str, Experiment]:
    """The members by name, each as a whole experiment; a run without `members:` has one, called "".

    Raises:
        ConfigError: a member changes the data set or the folds, which all members share.
    """
    if not experiment.members:
        return {"": experiment}
    shared = experiment.model_dump(mode="json", exclude={"members"})
    built = {}
    for name, changes in experiment.members.items():
        if name.startswith("fold") or not name.replace("_", "").replace("-", "").isalnum():
            raise ConfigError(
                "a member's name must be letters, digits, - and _, and not begin with 'fold'", name, "rename it"
            )
        member = _validated(name, config.merge(shared, changes))
        same = ("dataset", "rasteriser", "folds", "limit", "patch", "unreadable", "cache")
        differing = [key for key in same if getattr(member.data, key) != getattr(experiment.data, key)]
        differing += [key for key in ("run", "runs", "submit") if getattr(member, key) != getattr(experiment, key)]
        if differing:
            raise ConfigError(f"member {name} changes what all members share", differing[0], "move it out of members:")
        built[name] = member
    return built


def _forget(changes: Any, path: list[str]) -> None:
    """Drop a member's own value of a key that the command line sets: the command line has the last word everywhere."""
    *above, last = path
    for part in above:
        changes = changes.get(part) if isinstance(changes, dict) else None
    if isinstance(changes, dict):
        changes.pop(last, None)


def _validated(name: str, values: dict[str, Any]) -> Experiment:
    try:
        return config.validate(Experiment, values)
    except ConfigError as error:
        raise ConfigError(f"member {name}: {error.wrong}", error.seen, error.fix) from None
