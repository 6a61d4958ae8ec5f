"""Queue: several runs from one command line, one after the other, each in a process of its own.

Only `config`, `seed` and `fold` take lists: in every other key a comma belongs to the value. A run that fails, or that
the system kills, does not stop the others.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from phalanx.commands import _experiment
from phalanx.commands._exit import guarded
from phalanx.commands._experiment import Experiment
from phalanx.core.errors import ConfigError, PhalanxError, RunError

_LISTS = ("config", "seed", "fold")


class UsageError(Exception):
    """The command line cannot be understood; the message says why."""


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    Args:
        configs: names of configurations.
        seeds: what stands after `seed=`; empty: whatever the configurations say.
        overrides: the other `key=value` texts.
    """

    configs: tuple[str, ...]
    seeds: tuple[str, ...]
    overrides: tuple[str, ...]

    @property
    def several(self) -> bool:
        """Whether there is more than one run."""
        return len(self.configs) * max(1, len(self.seeds)) > 1


@dataclass(frozen=True)
class Job:
    """One run of a queue.

    Args:
        config: name of its configuration.
        overrides: its `key=value` texts; with several runs `run=NAME` is among them.
        experiment: both together.
    """

    config: str
    overrides: tuple[str, ...]
    experiment: Experiment

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.experiment.runs / self.experiment.run


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Args:
        job: it.
        failure: why it failed, in one line; "" when it did not.
    """

    job: Job
    failure: str


def understand(arguments: Sequence[str]) -> Asked:
    """Take `config=a,b seed=0,1 fold=0,2 key=value ...` apart.

    Raises:
        UsageError: no configuration, an empty or repeated item of a list, a fold that is no number.
    """
    told: dict[str, str] = {}
    others = []
    for text in arguments:
        key, equals, value = text.partition("=")
        if not equals or key not in _LISTS:
            others.append(text)
        elif key == "config" and key in told:
            raise UsageError("config=NAME is needed, once")
        else:
            told[key] = value
    if "config" not in told:
        raise UsageError("config=NAME is needed, once")
    seeds = _items("seed", told["seed"]) if "seed" in told else ()
    folds = (_folds(told["fold"]),) if "fold" in told else ()
    return Asked(_items("config", told["config"]), seeds, (*others, *folds))


def _items(key: str, text: str) -> tuple[str, ...]:
    items = tuple(text.split(","))
    if not all(items) or len(set(items)) < len(items):
        raise UsageError(f"{key}={text} has {'an empty' if not all(items) else 'a repeated'} item")
    return items


def _folds(text: str) -> str:
    """The override that `fold=` stands for."""
    if text == "all":
        return "data.folds.train=[]"
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise UsageError(f"fold={text} must be all, or numbers such as 0,2")
    return f"data.folds.train=[{text}]"


def jobs(configs: Path, asked: Asked) -> list[Job]:
    """Every configuration with every seed; validated all before the first begins.

    Several runs of one configuration are called `NAME_seed0`, `NAME_seed1`; of several configurations with `run=NAME`
    they are called `NAME_CONFIG`.

    Raises:
        ConfigError: a key or a value is wrong, or two runs would share a folder.
    """
    found = []
    shared = len(asked.configs) > 1 and any(text.startswith("run=") for text in asked.overrides)
    for config in asked.configs:
        for seed in asked.seeds or ("",):
            own = (*asked.overrides, *([f"seed={seed}"] if seed else []))
            experiment = _experiment.load(configs, config, own)
            if asked.several:
                name = f"{experiment.run}_{config}" if shared else experiment.run
                name += f"_seed{experiment.seed}" if len(asked.seeds) > 1 else ""
                own = (*own, f"run={name}")
                experiment = _experiment.load(configs, config, own)
            found.append(Job(config, own, experiment))
    folders = [job.folder.resolve() for job in found]
    twins = {folder.name for folder in folders if folders.count(folder) > 1}
    if twins:
        raise ConfigError("two runs of the queue would share a folder", min(twins), "leave run: out of one of them")
    return found


def work(
    configs: Path, queue: Sequence[Job], start: Callable[[Path, Job], str] | None = None
) -> list[Ended]:  # fmt: skip
    """Do all runs, one after the other, whatever becomes of each.

    Args:
        configs: folder of the configurations.
        queue: what to do.
        start: does one run and returns why it failed, "" when it did not; by default in a process of its own.
    """
    ended = []
    for place, job in enumerate(queue, 1):
        print(f"[{place}/{len(queue)}] {job.folder}", file=sys.stderr, flush=True)
        ended.append(Ended(job, (start or apart)(configs, job)))
    return ended


def apart(configs: Path, job: Job) -> str:
    """Do a run in a process of its own, so that neither its memory nor its end touches the next one."""
    # Not forked: a forked process cannot use CUDA, and would inherit the threads' locks.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_inside, args=(configs, job.config, job.overrides, sender), name=job.folder.name)
    process.start()
    sender.close()
    try:
        process.join()
    except KeyboardInterrupt:
        # The terminal has sent it to the run as well, which ends by itself.
        process.join()
        raise
    if process.exitcode == 0:
        return ""
    if process.exitcode == 130:
        raise KeyboardInterrupt
    if (process.exitcode or 0) < 0:
        return f"killed by signal {-(process.exitcode or 0)}, which is often a lack of memory; see {job.folder}/run.log"
    try:
        return str(receiver.recv())
    except EOFError:
        return f"ended with status {process.exitcode}"


def _inside(configs: Path, config: str, overrides: Sequence[str], sender: Connection) -> None:
    """What the process of a run does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def work() -> None:
        # Loads the network libraries.
        from phalanx.commands import run

        try:
            run.work(_experiment.load(configs, config, overrides), [f"config={config}", *overrides])
        except PhalanxError as error:
            sender.send(str(error))
            raise
        except KeyboardInterrupt:
            sys.exit(130)
        except Exception as error:
            sender.send(" ".join(f"{type(error).__name__}: {error}".split())[:300])
            raise

    sys.exit(guarded(work))


def _end_with_parent() -> None:
    """A queue that is killed must not leave a run behind that keeps its folder locked."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def refuse(ended: Sequence[Ended]) -> None:
    """Raise one error that names every run that failed.

    Raises:
        RunError: there is one.
    """
    failed = [end for end in ended if end.failure]
    if failed:
        wrong = f"{len(failed)} of {len(ended)} runs failed"
        seen = "; ".join(f"{end.job.folder.name} ({end.failure.rstrip('.')})" for end in failed)
        raise RunError(wrong, seen, "mend the cause and run the same command again; what is done is kept")
