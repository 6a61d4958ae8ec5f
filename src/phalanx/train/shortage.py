"""Shortage: errors that say in a dozen ways that memory ran out, told in one line that names the knob to turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from phalanx.core.errors import PhalanxError, RunError

_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
# Batches travel from the workers through /dev/shm, which containers often keep at 64 MB.
_SHARED = ("bus error", "out of shared memory", "unable to write to file </torch", "No space left on device (28)")
_WORKER = ("is killed by signal", "exited unexpectedly")


def reason(error: BaseException) -> str | None:
    """What ran out (`memory`, `shared memory`, `a worker`), or None when the error is about something else."""
    text = str(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return "memory"
    if not isinstance(error, RuntimeError) or isinstance(error, PhalanxError):
        return None
    if any(sign.lower() in text.lower() for sign in _SHARED):
        return "shared memory"
    if any(sign in text for sign in _MEMORY):
        return "memory"
    return "a worker" if any(sign in text for sign in _WORKER) else None


@contextmanager
def told(doing: str, knobs: str) -> Iterator[None]:
    """Turn a shortage of memory into one line.

    Args:
        doing: what was going on (`training`).
        knobs: what to do about it, in the imperative.

    Raises:
        RunError: memory ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        what = reason(error)
        if what is None:
            raise
        seen = " ".join(str(error).split())[:160] or type(error).__name__
        if what == "memory":
            raise RunError(f"out of memory while {doing}", seen, knobs) from None
        if what == "shared memory":
            fix = "set train.workers=0, or give the machine more room in /dev/shm (docker run --shm-size)"
            raise RunError(f"out of shared memory while {doing}", seen, fix) from None
        fix = "lower train.workers: it most likely ran out of memory"
        raise RunError(f"a process that prepares batches was ended while {doing}", seen, fix) from None
