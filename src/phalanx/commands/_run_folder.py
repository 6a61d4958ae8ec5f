"""Run folder: `runs/NAME/`, one configuration, one process at a time, everything resumable."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from phalanx.commands import _peak_memory
from phalanx.core import config, files
from phalanx.core.errors import RunError

LOG = logging.getLogger("phalanx")
TIMINGS, MEMORY = "timings.json", "memory.json"

# A run may go on with another number of workers: neither changes a single number in it.
_FREE = ("train.workers", "runs", "data.cache")


class RunFolder:
    """The folder of one run.

    Args:
        path: `runs/NAME`.
        values: the resolved configuration as plain data.

    Raises:
        RunError: the folder holds a run with other settings, or another process works in it.
    """

    def __init__(self, path: Path, values: dict[str, Any]) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(path / ".lock")
        begun = path / "config.yaml"
        if begun.is_file():
            self._compare(OmegaConf.to_container(OmegaConf.load(begun)), values)
            LOG.info("Going on with %s", path)
        else:
            files.write_text(begun, config.to_yaml(values))
        handler = logging.FileHandler(path / "run.log", encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
        LOG.addHandler(handler)
        self._handler = handler

    def close(self) -> None:
        """Let another process work here."""
        LOG.removeHandler(self._handler)
        self._handler.close()
        os.close(self._lock)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the seconds of the block to `timings.json`, its peak memory to `memory.json`.

        Seconds of a stage that is resumed add up; of its peaks the highest counts.
        """
        started = time.monotonic()
        _peak_memory.restart()
        try:
            yield
        finally:
            timings = self.timings()
            timings[stage] = round(timings.get(stage, 0.0) + time.monotonic() - started, 2)
            files.write_text(self.path / TIMINGS, json.dumps(timings, indent=1) + "\n")
            memory = self.memory()
            before = memory.get(stage, {})
            memory[stage] = before | {
                name: max(amount, before.get(name, 0)) for name, amount in _peak_memory.peaks().items()
            }
            files.write_text(self.path / MEMORY, json.dumps(memory, indent=1) + "\n")

    def timings(self) -> dict[str, float]:
        """Seconds a stage."""
        return _mapping(self.path / TIMINGS)

    def memory(self) -> dict[str, dict[str, int]]:
        """Peak memory a stage: bytes of the process, `host`, and of the accelerator, `device`."""
        return _mapping(self.path / MEMORY)

    def settle(self, name: str, value: Any) -> Any:
        """Write plain data as `name`, or check that what stands there is the same.

        Raises:
            RunError: it is not: the data set changed under the run.
        """
        file = self.path / name
        value = json.loads(json.dumps(value))
        if not file.is_file():
            files.write_text(file, json.dumps(value, indent=1, ensure_ascii=False) + "\n")
        elif json.loads(file.read_text()) != value:
            raise RunError(
                "the data set is not the one this run was begun with",
                f"{file} differs",
                "choose another run=NAME, or delete the folder",
            )
        return value

    def _compare(self, begun: Any, values: dict[str, Any]) -> None:
        before, now = _flat(begun), _flat(values)
        differing = sorted(
            key for key in before.keys() | now.keys() if before.get(key) != now.get(key) and not key.startswith(_FREE)
        )
        if differing:
            key = differing[0]
            more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
            os.close(self._lock)
            raise RunError(
                f"{self.path} holds a run with other settings",
                f"{key} was {before.get(key)!r}, now {now.get(key)!r}{more}",
                "choose another run=NAME, or delete the folder",
            )


def _mapping(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted keys."""
    if not isinstance(values, dict):
        return {prefix[:-1]: values}
    return {key: value for name, inner in values.items() for key, value in _flat(inner, f"{prefix}{name}.").items()}


def _lock(path: Path) -> int:
    """An open, locked file; the system frees it when the process ends, however it ends."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        pass
    except OSError:
        os.close(handle)
        raise RunError(
            "another process works in this run folder", path.parent, "wait for it, or choose another run=NAME"
        ) from None
    return handle
