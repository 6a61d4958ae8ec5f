"""Where a study is kept: a journal file unless told otherwise, or a database or Redis by its URL."""

from __future__ import annotations

import os
import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phalanx.core.errors import ConfigError, PhalanxError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

try:
    import fcntl
except ImportError:
    fcntl = None

# Seconds between two signs of life, and without one until a worker on another machine counts as dead.
BEAT, GRACE = 60, 300


def opened(told: str, retry: Callable[[Study, FrozenTrial], None]) -> BaseStorage:
    """The storage; what is missing of it is made.

    Args:
        told: a path or a URL.
        retry: called with a trial whose worker stopped giving signs of life, once it is marked as failed.

    Raises:
        ConfigError: the database cannot be reached, or its driver is not installed.
    """
    if "://" not in told:
        return _journal(Path(told))
    try:
        return _redis(told) if told.startswith("redis") else _database(told, retry)
    except Exception as error:
        if isinstance(error, PhalanxError) or not _is_storage_fault(error):
            raise
        line = re.sub(re.escape(told), hidden(told), " ".join(str(error).split()))[:200]
        fix = 'check the URL, and pip install "phalanx[tune]" for the drivers'
        raise ConfigError(f"the storage {hidden(told)} cannot be opened", line, fix) from None


def close(study: Study) -> None:
    """End the connections to a database."""
    # The public way to it is the object that was given to create_study, which wraps it.
    backend = getattr(study._storage, "_backend", None)
    if backend is not None and hasattr(backend, "engine"):
        backend.remove_session()
        backend.engine.dispose()


def hidden(told: str) -> str:
    """A storage's name without its password.

    >>> hidden("postgresql://me:secret@host/db")
    'postgresql://me:***@host/db'
    """
    return re.sub(r"(://[^:/@]*:)[^@]*@", r"\1***@", told)


class Gate:
    """One worker of a machine at a time, while it takes a trial; a killed worker lets the others through."""

    def __init__(self, path: Path) -> None:
        self._path, self._handle = path, -1

    def open(self) -> None:
        """Wait, then keep the others out."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o644)
        if fcntl is not None:
            fcntl.flock(self._handle, fcntl.LOCK_EX)

    def close(self) -> None:
        """Let the next one in; does nothing where that was done."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> None:
        self.open()

    def __exit__(self, *_: object) -> None:
        self.close()


def is_free(lock: Path) -> bool | None:
    """Whether no living process of this machine holds a lock file; None where the system cannot tell."""
    if not lock.is_file():
        return True
    if fcntl is None:
        return None
    handle = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


@contextmanager
def calm() -> Iterator[None]:
    """Optuna says only what a user of Phalanx can act on."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
            warnings.filterwarnings("ignore", module=r"optuna(\.|$)")
            yield
    finally:
        optuna.logging.set_verbosity(before)


def _journal(path: Path) -> BaseStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    path.parent.mkdir(parents=True, exist_ok=True)
    # An exclusively created file locks on every system and on NFS since version 3; links need a privilege on Windows.
    lock = JournalFileOpenLock(str(path))
    if path.is_file():
        _mend(path, lock)
    return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))


def _mend(path: Path, lock: Any) -> None:
    """Cut off a last line that a crash left unfinished; the next one would otherwise be written behind it."""
    with path.open("rb") as file:
        if not _tail(file):
            return
    lock.acquire()
    try:
        with path.open("rb+") as file:
            if tail := _tail(file):
                file.truncate(path.stat().st_size - tail)
    finally:
        lock.release()


def _tail(file: Any) -> int:
    """Bytes after the last line's end."""
    size = file.seek(0, os.SEEK_END)
    back = min(size, 1 << 20)
    file.seek(size - back)
    return len(file.read().rpartition(b"\n")[2])


def _redis(url: str) -> BaseStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalRedisBackend

    return JournalStorage(JournalRedisBackend(url))


def _database(url: str, retry: Callable[[Study, FrozenTrial], None]) -> BaseStorage:
    from optuna.storages import RDBStorage

    def connect() -> RDBStorage:
        return RDBStorage(
            url, engine_kwargs={"pool_pre_ping": True}, heartbeat_interval=BEAT, grace_period=GRACE,
            heartbeat_stale_trial_callback=retry,
        )  # fmt: skip

    try:
        return connect()
    except Exception as error:
        # Two machines that make the tables at once: the second finds them when it looks again.
        if type(error).__module__.startswith("sqlalchemy") and "already exists" in str(error):
            time.sleep(1)
            return connect()
        raise


def _is_storage_fault(error: Exception) -> bool:
    known = ("sqlalchemy", "psycopg", "pymysql", "redis", "optuna")
    return isinstance(error, ImportError) or type(error).__module__.split(".")[0] in known
