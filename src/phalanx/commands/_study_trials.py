"""Trials: a worker takes one after the other, together with any number of other workers, and none is lost or doubled.

A trial belongs to the worker that locks its folder. One whose worker is gone (on this machine: the lock is free;
elsewhere: no sign of life for minutes) is marked as failed without a reason and queued again under a new number, with
what it had suggested and reported; it goes on in its old folder, from its last checkpoint. A trial that failed by its
own fault has a reason.
"""

from __future__ import annotations

import gc
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from phalanx.commands import _study_methods, _study_storage
from phalanx.commands._run_folder import LOG, RunFolder
from phalanx.commands._study import SamplerConfig, StudyConfig
from phalanx.commands._study_space import Space
from phalanx.commands._study_storage import Gate
from phalanx.core.errors import PhalanxError

# A fault of a trial's own, and not of the program: the study goes on.
_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")


@dataclass
class Measured:
    """What came of a trial.

    Args:
        dice: mean over its folds.
        seconds: of training, over all sessions.
        parts: Dice of each fold.
        epochs: trained, and planned.
    """

    dice: float = float("nan")
    seconds: float = 0.0
    parts: list[float] = field(default_factory=list)
    epochs: tuple[int, int] = (0, 0)


class Work(Protocol):
    """What a trial does: it trains, or works on a store."""

    def open(self, values: dict[str, Any], repeat: int, path: Path) -> RunFolder:
        """Take the trial's folder; quick, no other worker can take a trial meanwhile."""
        ...

    def measure(self, folder: RunFolder, report: Callable[[int, float, bool], None], found: Measured) -> None:
        """Do it, and note in `found` what is known so far; `report` takes step, value and whether that was the end."""
        ...


class _Failed(Exception):
    """A trial failed by its own fault."""


class Worker:
    """Takes trials until the budget is spent.

    Args:
        study: its configuration.
        space: what is searched.
        work: what a trial does.
        folder: of the study.
        seed: of the samplers.
        beats: whether the storage has no sign of life of its own.
    """

    def __init__(self, study: StudyConfig, space: Space, work: Work, folder: Path, *, seed: int, beats: bool) -> None:
        self.study, self.space, self.work, self.folder, self.seed = study, space, work, folder, seed
        self.beats = beats
        self.gate = Gate(folder / ".gate")
        self.here = f"{socket.gethostname()}:{folder.resolve()}"
        self._end = None if study.minutes is None else time.monotonic() + 60 * study.minutes

    def repeats(self, study: Study) -> None:
        """Measure the unchanged configuration with several seeds."""
        self._drive(study, self.study.repeats, self._repeat, None)

    def trials(self, study: Study, count: int) -> None:
        """Search, until the study has so many trials."""
        self._drive(study, count, self._search, self.study.sampler)

    def _drive(
        self, study: Study, count: int, objective: Callable[[Trial], Any], sampler: SamplerConfig | None
    ) -> None:
        while self._end is None or time.monotonic() < self._end:
            self.gate.open()
            try:
                self.recover(study)
                if not may_start(study, count, self.study.retries):
                    return
                if sampler is not None:
                    # Anew for each trial: what is suggested then depends on the trials alone, not on interruptions.
                    study.sampler = _study_methods.sampler(
                        sampler, self.space, self.seed, len(study.get_trials(deepcopy=False))
                    )
                    if isinstance(study.sampler, optuna.samplers.GridSampler) and study.sampler.is_exhausted(study):
                        LOG.info("Every point of the grid was tried")
                        return
                study.optimize(objective, n_trials=1, catch=(_Failed,))
            except (optuna.exceptions.UpdateFinishedTrialError, ValueError) as error:
                # This worker was silent for so long that another one took its trial.
                if isinstance(error, ValueError) and "Cannot tell" not in str(error):
                    raise
                LOG.warning("another worker took this worker's trial; going on with the next one")
            finally:
                self.gate.close()

    def recover(self, study: Study) -> None:
        """Queue the trials of dead workers again. Only behind the gate."""
        # The grid's sampler would try to stop the study when it hears that a trial ended outside of its loop.
        study.sampler = optuna.samplers.RandomSampler(self.seed)
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if self._is_dead(trial):
                LOG.info("%s was left by a worker that is gone", self._path(trial).name)
                try:
                    study.tell(trial.number, state=TrialState.FAIL)
                except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
                    continue
        for trial in lost(study.get_trials(deepcopy=False)):
            # Another machine may be about to queue it itself.
            waited = time.time() - (trial.datetime_complete.timestamp() if trial.datetime_complete else 0)
            if trial.user_attrs.get("host") == self.here or waited > _study_storage.GRACE:
                requeue(study, trial, self.study.retries)

    def _is_dead(self, trial: FrozenTrial) -> bool:
        free = _study_storage.is_free(self._path(trial) / ".lock")
        if trial.user_attrs.get("host") == self.here and free is not None:
            return free
        if not self.beats:
            return False
        start = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
        silent = time.time() - trial.user_attrs.get("alive", start)
        return silent > _study_storage.GRACE and free is not False

    def _path(self, trial: FrozenTrial | Trial) -> Path:
        if "repeat" in trial.user_attrs:
            return self.folder / f"default{trial.user_attrs['repeat']}"
        return self.folder / f"trial{trial.user_attrs.get('first', trial.number):04d}"

    def _repeat(self, trial: Trial) -> float | Sequence[float]:
        if "repeat" not in trial.user_attrs:
            taken = {one.user_attrs.get("repeat") for one in trial.study.get_trials(deepcopy=False)}
            trial.set_user_attr("repeat", next(place for place in range(len(taken) + 1) if place not in taken))
        repeat = trial.user_attrs["repeat"]
        return self._measured(trial, {}, repeat, is_default=True)

    def _search(self, trial: Trial) -> float | Sequence[float]:
        labels: dict[str, Any] = {}
        for key in self.space.order:
            if self.space.active(key, labels):
                labels[key] = _study_methods.suggest(trial, key, self.space.axes[key])
        return self._measured(trial, labels, 0, is_default=False)

    def _measured(
        self, trial: Trial, labels: dict[str, Any], repeat: int, *, is_default: bool
    ) -> float | Sequence[float]:
        path, found = self._path(trial), Measured()
        # First the lock, then the name: a trial with our name and a free lock has no worker.
        folder = None
        try:
            folder = self.work.open(self.space.values(labels), repeat, path)
            trial.set_user_attr("host", self.here)
            self.gate.close()
            said = ", ".join(f"{key}={_short(value)}" for key, value in labels.items())
            LOG.info("%s: %s", path.name, said or f"the configuration as it is, repeat {repeat}")
            with self._alive(trial):
                self.work.measure(folder, self._reporter(trial, is_default), found)
            LOG.info("%s: Dice %.4f, %.0f s", path.name, found.dice, found.seconds)
        except optuna.TrialPruned:
            LOG.info("%s: ended early after %d of %d epochs", path.name, *found.epochs)
            raise
        except Exception as error:
            reason = fault(error)
            if reason is None or is_default:
                raise
            LOG.warning("%s: failed: %s", path.name, reason)
            trial.set_user_attr("reason", reason)
            _free_memory()
            raise _Failed(reason) from None
        finally:
            if folder is not None:
                folder.close()
            _note(trial, found)
        return [found.dice, found.seconds] if len(self.study.objectives) > 1 else found.dice

    def _reporter(self, trial: Trial, is_default: bool) -> Callable[[int, float, bool], None]:
        frozen = trial.study.get_trials(deepcopy=False)[trial.number]
        known = set(frozen.intermediate_values)
        prunes = not is_default and self.study.pruner.name != "none"

        def report(step: int, value: float, ends: bool) -> None:
            if len(self.study.objectives) > 1:
                return
            # A trial that goes on says again what it said before it was killed.
            if step not in known:
                known.add(step)
                trial.report(value, step)
            if prunes and not ends and trial.should_prune():
                raise optuna.TrialPruned

        return report

    @contextmanager
    def _alive(self, trial: Trial) -> Iterator[None]:
        """Signs of life, where the storage gives none by itself."""
        stop = threading.Event()

        def beat() -> None:
            while True:
                with suppress(optuna.exceptions.UpdateFinishedTrialError):
                    trial.set_user_attr("alive", time.time())
                if stop.wait(_study_storage.BEAT):
                    return

        thread = threading.Thread(target=beat, daemon=True)
        if self.beats:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            if self.beats:
                thread.join()


def lost(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Trials that failed without a reason of their own and are queued nowhere."""
    queued = {number for trial in trials for number in trial.user_attrs.get("retried", ())}
    failed = (trial for trial in trials if trial.state == TrialState.FAIL and "reason" not in trial.user_attrs)
    return [trial for trial in failed if trial.number not in queued]


def requeue(study: Study, trial: FrozenTrial, retries: int) -> None:
    """Queue a trial again, with what it had suggested and reported, unless that was done too often."""
    history = [*trial.user_attrs.get("retried", ()), trial.number]
    if len(history) > retries:
        return
    kept = {key: trial.user_attrs[key] for key in ("repeat",) if key in trial.user_attrs}
    study.add_trial(
        optuna.create_trial(
            state=TrialState.WAITING, params=trial.params, distributions=trial.distributions,
            intermediate_values=trial.intermediate_values,
            user_attrs={"first": history[0], "retried": history, **kept},
        )
    )  # fmt: skip


def finished(trials: Sequence[FrozenTrial], retries: int) -> list[FrozenTrial]:
    """Trials that are over: not those that were queued again."""
    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    over = {trial.number for trial in lost(trials) if len(trial.user_attrs.get("retried", ())) >= retries}
    return [
        trial
        for trial in trials
        if trial.state in ended or trial.number in over or (trial.state.is_finished() and "reason" in trial.user_attrs)
    ]


def may_start(study: Study, count: int, retries: int) -> bool:
    """Whether a worker may take a trial: one waits, or the budget has room."""
    trials = study.get_trials(deepcopy=False)
    if any(trial.state == TrialState.WAITING for trial in trials):
        return True
    running = sum(trial.state == TrialState.RUNNING for trial in trials)
    over = finished(trials, retries)
    # What another machine is about to queue again has its place in the budget.
    pending = {trial.number for trial in lost(trials)} - {trial.number for trial in over}
    return len(over) + running + len(pending) < count


def fault(error: Exception) -> str | None:
    """The reason, if an error is a trial's own fault: its configuration, its data, its memory, its numbers."""
    if isinstance(error, PhalanxError):
        return str(error)
    if isinstance(error, MemoryError) or any(sign in str(error) for sign in _MEMORY):
        return f"out of memory: {' '.join(str(error).split())[:160]}"
    return None


def _note(trial: Trial, found: Measured) -> None:
    """Keep with the trial what is known of it, however it ended."""
    if found.epochs[1]:
        trial.set_user_attr("epochs", list(found.epochs))
    trial.set_user_attr("seconds", round(found.seconds, 2))
    if found.parts:
        trial.set_user_attr("folds", [round(part, 6) for part in found.parts])


def _free_memory() -> None:
    gc.collect()
    if (torch := sys.modules.get("torch")) is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
