"""What is free: the container's limit when there is one, and the disk of a folder that is not there yet."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from phalanx.train import machine


@pytest.fixture(autouse=True)
def _available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.psutil, "virtual_memory", lambda: SimpleNamespace(available=9000))


def group(folder: Path, limit: str, used: int, cached: int, version: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\ninactive_file {cached}\nactive_file 7\n")


def test_no_group_no_limit(tmp_path: Path) -> None:
    assert machine.free_memory(tmp_path, tmp_path / "absent") == 9000


def test_the_tightest_of_the_groups_counts(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("12:cpu:/elsewhere\n0::/user/job\n")
    group(tmp_path / "user/job", "max", 500, 0)
    group(tmp_path / "user", "4000", 1500, 300)
    group(tmp_path, "8000", 1000, 0)
    assert machine.free_memory(tmp_path, own) == 4000 - 1500 + 300
    group(tmp_path / "user/job", "2000", 1900, 50)
    assert machine.free_memory(tmp_path, own) == 150
    group(tmp_path / "user/job", "2000", 3000, 50)
    assert machine.free_memory(tmp_path, own) == 0


def test_version_one(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("5:memory:/docker/a\n")
    group(tmp_path / "memory", "5000", 1000, 200, version=1)
    assert machine.free_memory(tmp_path, own) == 4200
    group(tmp_path / "memory", str(2**63 - 4096), 1000, 200, version=1)
    assert machine.free_memory(tmp_path, own) == 9000


def test_the_disk_of_a_folder_to_come(tmp_path: Path) -> None:
    there, to_come = machine.free_disk(tmp_path), machine.free_disk(tmp_path / "runs" / "new")
    assert to_come == pytest.approx(there, rel=0.05)
    assert there > 0


def test_no_accelerator_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert machine.free_accelerator() is None
