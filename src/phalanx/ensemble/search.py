"""Search: members, weights, thresholds and steps that score best out of fold, and what they gain on people not seen.

One procedure goes through the stages in order. Each stage is fitted on some groups (people) and tried on the others, in
turn; it is taken only when its gain there is separable from zero, otherwise what stood before stays. The whole
procedure, its decisions included, is then repeated with one fold of the groups left out at a time and scored on that
fold: the nested score, which no search can flatter. Source: Cawley & Talbot 2010, On over-fitting in model selection
and subsequent selection bias in performance evaluation, JMLR 11, section 5.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from phalanx.core import files
from phalanx.core.errors import PhalanxError
from phalanx.core.progress import track
from phalanx.ensemble import _fits
from phalanx.ensemble._objects import Bench
from phalanx.ensemble.choice import Choice, Scorer
from phalanx.metrics import _paired
from phalanx.metrics._summary import Draws

Fit = Callable[[Scorer, np.ndarray, Choice], Choice]
STAGES = ("members", "threshold", "class weights", "thresholds", "steps")
_SHARES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Verdict:
    """What a stage was worth on groups it was not fitted on, and whether it was taken.

    Args:
        stage: its name.
        gain: mean difference to what stood before.
        interval: 95 % of that gain, groups resampled.
        taken: whether the stage is part of the choice.
        classes: classes it changed.
    """

    stage: str
    gain: float
    interval: tuple[float, float]
    taken: bool
    classes: int


@dataclass(frozen=True)
class Trail:
    """What the procedure did on some cases: the choice after each stage, and why."""

    choices: list[Choice]
    verdicts: list[Verdict] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """What a search found.

    Args:
        choice: what to use.
        verdicts: of the stages, on all cases.
        nested: name -> scores `(cases, classes)` on cases that had no part in finding what scored them: `best single`,
            `plain mean`, then the state after each stage.
        fitted: scores `(cases, classes)` of the choice on the very cases it was found on.
    """

    choice: Choice
    verdicts: list[Verdict]
    nested: dict[str, np.ndarray]
    fitted: np.ndarray


class Search:
    """The procedure and its nested estimate.

    Args:
        scorer: scores choices.
        groups: of each case.
        stages: which of `STAGES`, in order.
        folds: into which the groups are divided, for the nested estimate and within each stage.
        seed: of that division.
        always: take every stage that gains at all, separable or not.
    """

    def __init__(
        self, scorer: Scorer, groups: Sequence[str], *, stages: Sequence[str] = STAGES, folds: int = 5, seed: int = 0,
        always: bool = False,
    ) -> None:  # fmt: skip
        count = len(set(groups))
        if count < 4:
            raise PhalanxError("a nested search needs at least 4 groups of cases", count, "predict more people")
        self.scorer, self.stages, self.always = scorer, tuple(stages), always
        self.groups, self.seed = np.asarray(groups, dtype=str), seed
        self.folds = min(folds, count)
        self._bench = Bench(scorer)

    def run(self, kept: Path | None = None) -> Found:
        """Search on all cases, and nested.

        Args:
            kept: a file that keeps what is done, so that a killed search goes on; None: nowhere.
        """
        done = _Done(kept, self._key())
        everyone = np.arange(len(self.groups))
        fold_of = divide(self.groups, self.folds, self.seed)
        parts = [np.flatnonzero(fold_of != fold) for fold in range(self.folds)]
        paths = []
        for place, rows in enumerate(track([*parts, everyone], "Searching", self.folds + 1)):
            paths.append(done.path(place) or done.keep(place, self.procedure(rows)))
            self._bench.forget()
        choice = paths[-1].choices[-1]
        nested = self._nested(fold_of, paths[:-1])
        return Found(choice, paths[-1].verdicts, nested, self.scorer.table(choice))

    def procedure(self, rows: np.ndarray) -> Trail:
        """Go through the stages on some cases."""
        now = Choice.plain(self.scorer.band)
        choices, verdicts = [now], []
        for stage in self.stages:
            now, verdict = self._stage(stage, rows, now)
            choices.append(now)
            verdicts.append(verdict)
        return Trail(choices, verdicts)

    def _stage(self, stage: str, rows: np.ndarray, now: Choice) -> tuple[Choice, Verdict]:
        tried = [self._crossed(fit, rows, now) for fit in self._fits(stage)]
        fit, crossed = max(tried, key=lambda one: round(float(one[1][rows].mean(0).mean()), 9))
        before, draws = self.scorer.table(now)[rows], Draws(self.groups[rows].tolist())
        names = [str(label) for label in range(before.shape[1])]
        if stage in ("thresholds", "class weights", "steps"):
            # Of many classes some gain by luck: only those that do beyond that get a setting of their own.
            apart = crossed[rows] - before
            good = apart.mean(0) > 0 if self.always else _paired.beyond_chance(apart, draws)
        else:
            good = np.ones(len(names), np.bool_)
        gain = _paired.difference(np.where(good, crossed[rows], before), before, names, draws)
        low, high = gain["interval"]
        taken = bool(good.any()) and (low > 0 or (self.always and gain["mean"] > 0))
        chosen = _mixed(now, fit(self.scorer, rows, now), good) if taken else now
        changed = sum(a != b for a, b in zip(_rows(now), _rows(chosen), strict=True))
        return chosen, Verdict(stage, gain["mean"], (low, high), chosen != now, changed)

    def _crossed(self, fit: Fit, rows: np.ndarray, now: Choice) -> tuple[Fit, np.ndarray]:
        """Scores `(cases, classes)`, of each of `rows` by a fit on the groups of other folds."""
        fold_of = divide(self.groups[rows], min(self.folds, len(set(self.groups[rows]))), self.seed + 1)
        scores = np.zeros((len(self.groups), len(now.weights)))
        for fold in range(fold_of.max() + 1):
            held = rows[fold_of == fold]
            scores[held] = self.scorer.table(fit(self.scorer, rows[fold_of != fold], now))[held]
        return fit, scores

    def _fits(self, stage: str) -> list[Fit]:
        if stage == "class weights":
            return [_fits.class_weights(share) for share in _SHARES]
        fits = {
            "members": _fits.members, "threshold": _fits.one_threshold, "thresholds": _fits.thresholds,
            "steps": self._bench.fit,
        }  # fmt: skip
        return [fits[stage]]

    def _nested(self, fold_of: np.ndarray, paths: Sequence[Trail]) -> dict[str, np.ndarray]:
        names = ("best single", "plain mean", *self.stages)
        nested = {name: np.zeros((len(fold_of), len(self.scorer.band.classes))) for name in names}
        for fold, path in enumerate(paths):
            held, rest = np.flatnonzero(fold_of == fold), np.flatnonzero(fold_of != fold)
            choices = [_fits.best_single(self.scorer, rest), *path.choices]
            for name, choice in zip(names, choices, strict=True):
                nested[name][held] = self.scorer.table(choice)[held]
        return nested

    def _key(self) -> dict[str, Any]:
        return {
            "stages": list(self.stages), "folds": self.folds, "seed": self.seed, "always": self.always,
            "metric": self.scorer.metric.config.name, "cases": self.scorer.band.cases,
        }  # fmt: skip


def divide(groups: Sequence[str] | np.ndarray, folds: int, seed: int) -> np.ndarray:
    """A fold for each case, int64 `(cases,)`; a group stays together, folds have nearly equal numbers of groups."""
    names, member = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    fold_of = np.empty(len(names), np.int64)
    fold_of[np.random.default_rng(seed).permutation(len(names))] = np.arange(len(names)) % folds
    return fold_of[member]


def leave_one_out(scorer: Scorer, choice: Choice) -> np.ndarray:
    """What the score loses when a member is taken out and the others keep their weights: float64 `(members,)`.

    NaN for a member without weight, and for the only one.
    """
    lost = np.full(scorer.band.members, np.nan)
    whole = scorer.table(choice).mean()
    for place in range(scorer.band.members):
        rows = [tuple(weight * (other != place) for other, weight in enumerate(row)) for row in choice.weights]
        if all(map(any, rows)) and any(row[place] for row in choice.weights):
            lost[place] = whole - scorer.table(choice.with_weights(rows)).mean()
    return lost


def _rows(choice: Choice) -> list[tuple[Any, ...]]:
    return list(zip(choice.weights, choice.thresholds, choice.steps, strict=True))


def _mixed(now: Choice, new: Choice, good: np.ndarray) -> Choice:
    """The new setting of the classes that are `good`, the old one of the others."""
    rows = [new_row if keep else old for old, new_row, keep in zip(_rows(now), _rows(new), good, strict=True)]
    weights, thresholds, steps = zip(*rows, strict=True)
    return replace(now, weights=weights, thresholds=thresholds, steps=steps)


class _Done:
    """What of a search is done, in a file."""

    def __init__(self, path: Path | None, key: dict[str, Any]) -> None:
        self._path, self._key = path, json.loads(json.dumps(key))
        self._paths: dict[str, Any] = {}
        if path is not None and path.is_file():
            known = json.loads(path.read_text(encoding="utf-8"))
            if known["key"] == self._key:
                self._paths = known["paths"]

    def path(self, place: int) -> Trail | None:
        """What the procedure did on the cases of this place, if it is known."""
        known = self._paths.get(str(place))
        if known is None:
            return None
        verdicts = [Verdict(**{**one, "interval": tuple(one["interval"])}) for one in known["verdicts"]]
        return Trail([Choice.load(choice) for choice in known["choices"]], verdicts)

    def keep(self, place: int, path: Trail) -> Trail:
        self._paths[str(place)] = {
            "choices": [choice.to_dict() for choice in path.choices],
            "verdicts": [asdict(verdict) for verdict in path.verdicts],
        }
        if self._path is not None:
            files.write_text(self._path, json.dumps({"key": self._key, "paths": self._paths}) + "\n")
        return path
