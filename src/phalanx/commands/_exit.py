"""Exit: how a command ends. Input at fault: one line and status 1; anything else keeps its traceback."""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Callable

from phalanx.core.errors import PhalanxError

_SYSTEM = {
    errno.ENOSPC: ("the disk is full", "free some space and run the command again; it goes on where it stopped"),
    errno.EDQUOT: ("the disk quota is used up", "free some space and run the command again"),
    errno.EROFS: ("the file system is read-only", "choose a folder that can be written"),
    errno.EACCES: ("permission denied", "choose a folder that can be written, or change its permissions"),
    errno.EPERM: ("permission denied", "choose a folder that can be written, or change its permissions"),
    errno.ENOTDIR: ("a folder was expected and a file was found", "move the file, or choose another folder"),
    errno.EEXIST: ("a folder was expected and a file was found", "move the file, or choose another folder"),
    errno.EMFILE: ("too many open files", "raise the limit (ulimit -n)"),
}


def guarded(work: Callable[[], None]) -> int:
    """Do the work; returns the exit status."""
    _log_to_terminal()
    try:
        work()
    except PhalanxError as error:
        return _say(str(error))
    except OSError as error:
        if error.errno not in _SYSTEM:
            raise
        wrong, fix = _SYSTEM[error.errno]
        return _say(str(PhalanxError(wrong, error.filename or "", fix)))
    except KeyboardInterrupt:
        print("\nStopped; run the same command again to go on.", file=sys.stderr)
        return 130
    return 0


def _say(line: str) -> int:
    print(f"error: {line}", file=sys.stderr)
    return 1


def _log_to_terminal() -> None:
    logger = logging.getLogger("phalanx")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    # Anew each time: a caller that runs several commands may have changed standard error in between.
    for handler in [handler for handler in logger.handlers if handler.name == "terminal"]:
        logger.removeHandler(handler)
    terminal = logging.StreamHandler()
    terminal.name = "terminal"
    terminal.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(terminal)
