"""Environment: which versions, on which machine, by which command a run was made."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phalanx.core import files, parallel

FILE = "environment.json"
_PACKAGES = (
    "torch",
    "lightning",
    "segmentation-models-pytorch",
    "timm",
    "albumentations",
    "numpy",
    "opencv-python-headless",
    "zarr",
)


def record(folder: Path, command: Sequence[str]) -> None:
    """Note in the run folder what works on it now; what is there already is not noted twice.

    Args:
        folder: of the run.
        command: what was typed after `python run.py`.
    """
    known = read(folder)
    now = {"command": " ".join(command), "versions": versions(), "machine": _machine()}
    if now not in known:
        files.write_text(folder / FILE, json.dumps([*known, now], indent=1, ensure_ascii=False) + "\n")


def read(folder: Path) -> list[dict[str, Any]]:
    """What was noted, in order: `command`, `versions` and `machine` of each time that one of them was new."""
    file = folder / FILE
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []


def versions() -> dict[str, str]:
    """Of Phalanx, Python and the packages that numbers depend on."""
    found = {"phalanx": importlib.metadata.version("phalanx"), "Python": platform.python_version()}
    return found | {name: importlib.metadata.version(name) for name in _PACKAGES}


def _machine() -> dict[str, str]:
    found = {"System": f"{platform.system()} {platform.release()}", "Processors": str(parallel.processors())}
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found["Memory"] = f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
    return found | {"Accelerator": _accelerator()}


def _accelerator() -> str:
    import torch

    if not torch.cuda.is_available():
        return "none"
    count = torch.cuda.device_count()
    return torch.cuda.get_device_name(0) + (f", {count} of them" if count > 1 else "")
