"""Peak memory of a stretch of work: of this process, and of the accelerator where there is one."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def restart() -> None:
    """Forget the peaks so far, where the system lets us: Linux for the process, CUDA for the accelerator."""
    # 5 sets the process's "high water mark" of resident memory back (Linux, proc_pid_clear_refs(5)).
    with suppress(OSError):
        _RESET.write_text("5")
    if (cuda := _cuda()) is not None:
        cuda.reset_peak_memory_stats()


def peaks() -> dict[str, int]:
    """Bytes since `restart`: `host`, resident memory of this process without its workers, and `device`.

    Without Linux `host` is the peak since the process began; without CUDA there is no `device`.
    """
    found = {"host": _resident()}
    if (cuda := _cuda()) is not None:
        found["device"] = int(cuda.max_memory_allocated())
    return {name: amount for name, amount in found.items() if amount}


def _resident() -> int:
    with suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    with suppress(ImportError):
        import resource

        # Kilobytes on Linux, bytes on macOS.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return 0


def _cuda() -> Any:
    """torch.cuda, where it is in use already: asking must not load torch, nor open the accelerator."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized() else None
