"""Nested: an ensemble as a member of another, by its mean if nothing comes after it, or else by its masks."""

from __future__ import annotations

import hashlib

import numpy as np

from phalanx.core.geometry import Geometry
from phalanx.ensemble.members import Stack
from phalanx.ensemble.pipeline import Pipeline
from phalanx.ensemble.soft import Blend

# Logits of a nested mean of probabilities are kept within this.
_LARGEST = 15.0


class BlendMember:
    """A nested mean as a member: its logits.

    Args:
        blend: it.
        name: for error lines.
    """

    def __init__(self, blend: Blend, name: str) -> None:
        self._blend, self.name = blend, name
        self.labels, self.cases = blend.labels, blend.cases
        text = f"{blend.space} {[member.digest for member in blend.members]} {blend.weights} {blend.temperatures}"
        self.digest = hashlib.sha256(text.encode()).hexdigest()

    def open(self, case: str) -> Stack:
        """A case's planes."""
        return _Nested(self._blend, case)


class _Nested:
    def __init__(self, blend: Blend, case: str) -> None:
        self._scene, self._space, self._exclusive = blend.open(case), blend.space, blend.labels.exclusive
        self.geometry: Geometry = self._scene.geometry

    def plane(self, channel: int) -> np.ndarray:
        total, weight = self._scene.plane(channel)
        mean = total / np.float32(weight)
        if self._space == "logits":
            return mean
        mean = np.clip(mean, 0, 1)
        with np.errstate(divide="ignore"):
            # A softmax of logarithms, as a sigmoid of log odds, gives the probabilities back.
            logits = np.log(mean) if self._exclusive else np.log(mean) - np.log1p(-mean)
        return np.clip(logits, -_LARGEST, _LARGEST)


class PipelineMasks:
    """The masks of a nested ensemble that has thresholds or steps of its own.

    Args:
        nested: it.
        name: for error lines.
    """

    def __init__(self, nested: Pipeline, name: str) -> None:
        self._nested, self.name = nested, name
        text = f"{BlendMember(nested.blend, name).digest} {nested.thresholds} {_said(nested)}"
        self.digest = hashlib.sha256(text.encode()).hexdigest()

    def read(self, case: str) -> tuple[tuple[int, int], list[np.ndarray]]:
        """The image size and the runs of every class."""
        done = self._nested.case(case)
        return done.size, list(done.masks.values())


def _said(nested: Pipeline) -> str:
    steps = [[step.config.model_dump_json() for step in row] for row in (*nested.steps, nested.joint)]
    return repr(steps)
