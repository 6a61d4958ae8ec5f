"""Pipeline: a blend and everything after it, thresholds, steps of each class, and steps of all classes together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from phalanx.core import catalogue, parallel
from phalanx.core.catalogue import Strict
from phalanx.core.errors import ConfigError
from phalanx.core.labels import LabelSpace
from phalanx.ensemble.soft import Blend, Scene
from phalanx.steps._base import Cut, Joint, Step


@dataclass(frozen=True)
class Done:
    """One case after all steps.

    Args:
        case: its id.
        size: `(height, width)` of the image.
        masks: runs by class.
        warnings: what the steps found odd, a sentence each.
    """

    case: str
    size: tuple[int, int]
    masks: dict[str, np.ndarray]
    warnings: list[str] = field(default_factory=list)


class Pipeline:
    """An ensemble that is ready to run.

    Args:
        blend: the weighted mean.
        thresholds: probability of each class from which on a pixel is kept.
        steps: of each class, built; the first may be a cut of its own.
        joint: steps that see all classes, built.

    Raises:
        ConfigError: a step that cannot stand where it does.
    """

    def __init__(
        self, blend: Blend, thresholds: Sequence[float], steps: Sequence[Sequence[Any]], joint: Sequence[Joint] = ()
    ) -> None:
        self.blend, self.thresholds, self.joint = blend, tuple(thresholds), tuple(joint)
        self.steps = [list(row) for row in steps]
        exclusive = blend.labels.exclusive
        for row in self.steps:
            for place, step in enumerate(row):
                if isinstance(step, Joint) or (isinstance(step, Cut) and (place or exclusive)):
                    fix = "put steps of all classes under joint:, and a cut first, among classes that may overlap"
                    raise ConfigError("a step cannot stand here", step.config.name, fix)
        for step in self.joint:
            if not isinstance(step, Joint):
                raise ConfigError(
                    "a step of one class cannot stand among joint ones", step.config.name, "put it under steps"
                )
        if exclusive and any(threshold != 0.5 for threshold in self.thresholds):
            raise ConfigError("classes that exclude each other have no thresholds", self.thresholds[0], "leave it out")

    @property
    def labels(self) -> LabelSpace:
        """The classes."""
        return self.blend.labels

    @property
    def bare(self) -> bool:
        """Whether nothing comes after the mean but a cut at 0.5."""
        return not any(self.steps) and not self.joint and all(threshold == 0.5 for threshold in self.thresholds)

    def alone(self, place: int) -> Pipeline:
        """The same thresholds and steps after one member only."""
        blend = self.blend
        heat = (blend.temperatures[place],)
        one = Blend((blend.members[place],), blend.labels, ((Fraction(1),),), heat, blend.space)
        return Pipeline(one, self.thresholds, self.steps, self.joint)

    def run(self, cases: Sequence[str] | None = None, threads: int = 0) -> Iterator[Done]:
        """Every case, in order, computed ahead by threads."""
        return parallel.ordered(self.case, self.blend.cases if cases is None else cases, threads)

    def case(self, case: str) -> Done:
        """One case."""
        scene = self.blend.open(case)
        names = self.labels.scored_names
        if self.labels.exclusive:
            found = scene.masks(self.thresholds)
            masks = {
                name: _follow(mask, row, scene.size) for name, mask, row in zip(names, found, self.steps, strict=True)
            }
        else:
            masks = {name: self._cut(scene, label) for label, name in enumerate(names)}
        warnings: list[str] = []
        for joint in self.joint:
            warnings += joint.warnings(masks, scene.size)
            masks = joint(masks, scene.size)
        return Done(case, scene.size, {name: masks[name] for name in names}, warnings)

    def _cut(self, scene: Scene, label: int) -> np.ndarray:
        row = self.steps[label]
        if row and isinstance(row[0], Cut):
            return _follow(row[0](scene.cut(label, row[0].levels), scene.size), row[1:], scene.size)
        return _follow(scene.cut(label, [self.thresholds[label]])[0], row, scene.size)


def build(configs: Sequence[Strict]) -> list[Any]:
    """Steps of the catalogue, from their configurations."""
    return [catalogue.build("steps", config) for config in configs]


def by_class(labels: LabelSpace, common: Any, own: Mapping[str, Any]) -> list[Any]:
    """One value a scored class: its own, or the common one."""
    return [own.get(name, common) for name in labels.scored_names]


def _follow(mask: np.ndarray, steps: Sequence[Step], size: tuple[int, int]) -> np.ndarray:
    for step in steps:
        mask = step(mask, size)
    return mask
