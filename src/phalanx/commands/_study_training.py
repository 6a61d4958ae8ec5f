"""A trial that trains: the experiment with other values, by the very code of `run.py`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from optuna import TrialPruned

from phalanx.commands import _cases
from phalanx.commands._cases import Cases
from phalanx.commands._experiment import Experiment
from phalanx.commands._member import Member
from phalanx.commands._run_folder import RunFolder
from phalanx.commands._study import StudyConfig
from phalanx.commands._study_trials import Measured, fault
from phalanx.core import config
from phalanx.core.errors import RunError
from phalanx.train.settings import TrainConfig


class Training:
    """Trains trials.

    Args:
        study: its configuration.
        cases: the same for all trials, divided into the same folds whatever a trial's seed.
    """

    def __init__(self, study: StudyConfig, cases: Cases) -> None:
        self.study, self.cases = study, cases

    def open(self, values: dict[str, Any], repeat: int, path: Path) -> RunFolder:
        """The trial's run folder, with its resolved configuration."""
        experiment = prepared(values, self.study, repeat, path)
        return RunFolder(path, experiment.model_dump(mode="json"))

    def measure(self, folder: RunFolder, report: Callable[[int, float, bool], None], found: Measured) -> None:
        """Train the folds, one after the other."""
        experiment = config.validate(Experiment, _read(folder.path / "config.yaml"))
        member = Member("", experiment, self.cases, folder)
        with folder.timed("decode"):
            _cases.fill(list(self.cases.train.values()), member.cache)
        found.epochs = (0, experiment.train.epochs * len(self.study.folds))
        try:
            for place, fold in enumerate(self.study.folds):
                watch = _Watch(self.study, experiment.train, place, report, found)
                with folder.timed(f"train fold {fold}"):
                    member.train(fold, watch)
                self._conclude(folder.path / f"fold{fold}", place, watch, experiment.train)
        except Exception as error:
            if isinstance(error, TrialPruned) or fault(error):
                _tidy(folder.path, everything=True)
            raise
        finally:
            stages = folder.timings().items()
            found.seconds = sum(seconds for stage, seconds in stages if stage.startswith("train"))
        _tidy(folder.path, everything=False)
        found.dice = float(np.mean(found.parts))

    def _conclude(self, path: Path, place: int, watch: _Watch, settings: TrainConfig) -> None:
        dice = json.loads((path / "fold.json").read_text())["val_dice"]
        dice = watch.last if dice is None else dice
        if dice is None:
            raise RunError("no validation took place", path.name, "raise train.epochs, or lower train.validate_every")
        watch.found.parts.append(float(dice))
        watch.found.epochs = (settings.epochs * (place + 1), watch.found.epochs[1])
        if self.study.pruner.name == "wilcoxon":
            watch.report(place + 1, float(dice), place + 1 == len(self.study.folds))


class _Watch:
    """Reports each validation as the mean over the folds so far, at the share of the training that is done."""

    def __init__(
        self, study: StudyConfig, settings: TrainConfig, place: int, report: Callable[[int, float, bool], None],
        found: Measured,
    ) -> None:  # fmt: skip
        self.study, self.settings, self.place, self.report, self.found = study, settings, place, report, found
        self.last: float | None = None

    def __call__(self, epoch: int, dice: float) -> None:
        self.last = dice
        before = self.settings.epochs * self.place
        self.found.epochs = (before + epoch + 1, self.found.epochs[1])
        if self.study.pruner.name == "wilcoxon":
            return
        each = self.settings.validate_every
        steps = max(1, self.settings.epochs // each)
        ends = self.place + 1 == len(self.study.folds) and epoch + 1 + each > self.settings.epochs
        value = float(np.mean([*self.found.parts, dice]))
        self.report(self.place * steps + (epoch + 1) // each, value, ends)


def prepared(values: dict[str, Any], study: StudyConfig, repeat: int, path: Path) -> Experiment:
    """The experiment of a trial: its folds, its validations, its seed and its place."""
    experiment = config.validate(Experiment, values)
    plain = experiment.model_dump(mode="json")
    plain["data"]["folds"]["train"] = list(study.folds)
    plain["train"]["validate_every"] = spacing(experiment.train, study.validations)
    changes = {"run": path.name, "runs": str(path.parent), "seed": (experiment.seed + repeat) % 2**31}
    return config.validate(Experiment, plain | changes)


def spacing(settings: TrainConfig, wanted: int) -> int:
    """Epochs between validations, so that there are about as many as wanted and one at the very end."""
    if not wanted or settings.epochs == 1:
        return settings.validate_every if not wanted else 1
    # One single validation at the end could prune nothing: better too many.
    counts = [count for count in range(2, settings.epochs + 1) if settings.epochs % count == 0]
    return settings.epochs // min(counts, key=lambda count: abs(np.log(count / wanted)))


def _read(path: Path) -> Any:
    from omegaconf import OmegaConf

    return OmegaConf.to_container(OmegaConf.load(path))


def _tidy(path: Path, *, everything: bool) -> None:
    """Remove the weights of folds that are done: a study of a hundred trials would fill the disk with them."""
    for fold in path.glob("fold*"):
        if everything or (fold / "fold.json").is_file():
            for file in (*fold.glob("*.ckpt"), *fold.glob("*.safetensors")):
                file.unlink()
