"""Peaks of memory: of a stretch of work, not of the whole process."""

import json
from pathlib import Path

import numpy as np
import pytest

from phalanx.commands import _peak_memory, _run_folder


@pytest.mark.skipif(not _peak_memory._RESET.exists(), reason="the peak can be set back on Linux only")
def test_a_peak_is_forgotten() -> None:
    _peak_memory.restart()
    before = _peak_memory.peaks()["host"]
    held = np.ones(100_000_000, np.uint8)
    high = _peak_memory.peaks()["host"]
    assert high - before > 90e6
    del held
    _peak_memory.restart()
    assert high - _peak_memory.peaks()["host"] > 80e6


def test_without_linux_there_is_a_peak_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_peak_memory, "_STATUS", tmp_path / "status")
    monkeypatch.setattr(_peak_memory, "_RESET", tmp_path / "none" / "clear_refs")
    _peak_memory.restart()
    assert 20e6 < _peak_memory.peaks()["host"] < 50e9


def test_the_highest_peak_of_a_resumed_stage_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter([{"host": 70}, {"host": 50, "device": 9}])
    monkeypatch.setattr(_peak_memory, "peaks", lambda: next(said))
    folder = _run_folder.RunFolder(tmp_path / "run", {"seed": 1})
    try:
        for _ in range(2):
            with folder.timed("train"):
                pass
    finally:
        folder.close()
    assert json.loads((tmp_path / "run" / "memory.json").read_text()) == {"train": {"host": 70, "device": 9}}
