"""A trial that trains nothing: a threshold and steps on the out-of-fold predictions of a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from phalanx.commands import _oof, _search_recipe
from phalanx.commands._found import Reading
from phalanx.commands._run_folder import RunFolder
from phalanx.commands._study import Postprocess
from phalanx.commands._study_trials import Measured
from phalanx.core import config
from phalanx.core.errors import ConfigError
from phalanx.ensemble import band as bands
from phalanx.ensemble.choice import Choice, Scorer, step_of
from phalanx.ensemble.members import StoreMember
from phalanx.metrics import _paired, _summary
from phalanx.metrics._summary import Draws
from phalanx.store.predictions import Store

# The largest threshold of `Postprocess`.
_LIMIT = 0.95


class Postprocessing:
    """Scores trials on stores; several members count alike.

    Args:
        run: a run folder that is finished.

    Raises:
        PhalanxError: it has no out-of-fold predictions, or their truth is not to be had.
    """

    def __init__(self, run: Path) -> None:
        paths = _oof.stores([run])
        self.opened = [Store(path) for path in paths]
        cases = _oof.shared(self.opened, partial=False)
        truth = _oof.truth(paths[0], None, Reading(None, ()))
        known = truth.of(cases)
        members = [StoreMember(store, self.opened[0].labels) for store in self.opened]
        self.band = bands.build(members, known, limit=_LIMIT)
        self.scorer = Scorer(self.band, list(known.values()))
        self.groups = [truth.cases[name].group for name in cases]

    def open(self, values: dict[str, Any], repeat: int, path: Path) -> RunFolder:
        """The trial's folder, with its configuration."""
        return RunFolder(path, config.validate(Postprocess, values).model_dump(mode="json"))

    def measure(self, folder: RunFolder, report: Callable[[int, float, bool], None], found: Measured) -> None:
        """Score one setting on all cases."""
        from omegaconf import OmegaConf

        started = time.monotonic()
        values: Any = OmegaConf.to_container(OmegaConf.load(folder.path / "config.yaml"))
        found.dice = float(self.scorer.table(self.choice(values)).mean(0).mean())
        found.parts, found.seconds = [found.dice], time.monotonic() - started

    def choice(self, values: dict[str, Any]) -> Choice:
        """A setting as the search of ensembles knows it."""
        from phalanx.steps._base import Joint

        settings = config.validate(Postprocess, values)
        place = int(abs(self.band.thresholds - settings.threshold).argmin())
        plain = [{key: _hashable(value) for key, value in step.model_dump().items()} for step in settings.steps]
        steps = tuple(step_of(**step) for step in plain)
        for step in settings.steps:
            if issubclass(_entry(step), Joint):
                raise ConfigError("a step of all classes cannot be tuned here", step.name, "put it into a recipe")  # type: ignore[attr-defined]
        count = len(self.band.classes)
        return replace(Choice.plain(self.band), thresholds=(place,) * count, steps=(steps,) * count)

    def sentences(self, values: dict[str, Any], start: dict[str, Any]) -> list[str]:
        """How a setting compares with the unchanged one on the same cases."""
        best, unchanged = (self.scorer.table(self.choice(one)) for one in (values, start))
        gain = _paired.difference(best, unchanged, self.band.classes, Draws(self.groups))
        low, high = gain["interval"]
        return [
            f"Paired over {gain['groups']} groups of cases: {gain['mean']:+.4f} [{low:+.4f}, {high:+.4f}], "
            f"p = {gain['p']:.4f}, on the very cases it was chosen on; phalanx search gives the nested gain"
        ]

    def recipe(self, values: dict[str, Any], path: Path) -> str:
        """A recipe for `phalanx ensemble` with this setting."""
        choice = self.choice(values)
        table, temperatures = self.scorer.table(choice), [1.0] * len(self.opened)
        entry = _summary.scores("dice", table, self.band.classes, Draws(self.groups)) | {"of": "out-of-fold"}
        report = {"metric": "dice", "scores": [dict(entry)], "fitted": entry["mean"], "cases": len(self.groups)}
        found = _search_recipe.described(
            self.band, choice, self.opened, temperatures, report=report, dialect=None, folder=path.parent
        )
        # Nothing is nested here: the score is that on the very cases the setting was found on.
        found["scores"] = found["scores"][-1:]
        body = _search_recipe.text(found, path).split("\n", 2)[2]
        return f"# Found by tune.py. The submission: phalanx ensemble {path.name} -o OUT.csv\n{body}"


def _entry(step: Any) -> type[Any]:
    """The class of a step's configuration."""
    from phalanx.core import catalogue

    return catalogue.entry("steps", step.name)


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
