"""Machine: how much memory and disk this process may still take."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil

_GROUPS = Path("/sys/fs/cgroup")
# What a group without a limit says in version 1 is a number of this order.
_UNLIMITED = 2**60


def free_memory(root: Path = _GROUPS, own: Path = Path("/proc/self/cgroup")) -> int:
    """Bytes of main memory that are free: of the machine, or of the container when that has less.

    Args:
        root: where control groups are mounted.
        own: the file that names those of this process.
    """
    limits = [_left(folder, "memory.max", "memory.current") for folder in _folders(root, own)]
    limits.append(_left(root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"))
    return min([psutil.virtual_memory().available, *(limit for limit in limits if limit is not None)])


def free_accelerator() -> int | None:
    """Bytes of the accelerator's memory that are free, or None without one."""
    import torch

    if not torch.cuda.is_available():
        return None
    # What PyTorch holds in reserve is free for its next tensors.
    idle = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    return int(torch.cuda.mem_get_info()[0]) + idle


def free_disk(path: Path) -> int:
    """Bytes that are free on the disk of `path`, which need not exist yet."""
    while not path.exists():
        path = path.absolute().parent
    return shutil.disk_usage(path).free


def _folders(root: Path, own: Path) -> list[Path]:
    """The process's own group and those above it (control groups, version 2)."""
    try:
        named = [line.partition("::")[2] for line in own.read_text().splitlines() if line.startswith("0::")]
    except OSError:
        return []
    # Seen from inside a container the path may lead nowhere: then the root is the group.
    folder = root / (named[0].strip("/") if named else "")
    return [folder, *(above for above in folder.parents if above.is_relative_to(root))]


def _left(folder: Path, limit: str, used: str) -> int | None:
    """What is left of a group's limit; pages of files that can be dropped at once count as free."""
    try:
        most, now = int((folder / limit).read_text()), int((folder / used).read_text())
        lines = (folder / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):
        return None
    if most >= _UNLIMITED:
        return None
    cached = next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)
    return max(most - now + cached, 0)
