"""Windows in the main job: trained on windows, validated and predicted in windows, at the images' own sizes too."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from phalanx.commands import run
from phalanx.predict import windows
from phalanx.store.predictions import Store

NATIVE = [
    "data.fit=native", "data.window={size: [64, 48], per_image: 2, full: 0.2}", "train.epochs=1",
    "train.validate_every=1", "data.limit=4",
    "views.prepare=[{name: CLAHE, p: 1.0}]", "predict.window={size: [64, 64], stride: [48, 64]}",
    "predict.scales=[0.5, 1.0]",
]  # fmt: skip


def start(configs: Path, *arguments: str) -> int:
    return run.main(["config=tiny", *arguments], configs)


def test_a_native_run_goes_on_where_it_stopped(configs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the middle of an image, it ends as an unbroken one."""
    assert start(configs, *NATIVE, "run=unbroken") == 0
    calls, move = 0, windows._move

    def stops(*given: object) -> None:
        nonlocal calls
        calls += 1
        # Three strips an image: eight images of validation and five of the out-of-fold store are done by then.
        if calls == 40:
            raise KeyboardInterrupt
        move(*given)

    monkeypatch.setattr(windows, "_move", stops)
    assert start(configs, *NATIVE, "run=stopped") != 0
    monkeypatch.undo()
    assert len(list((tmp_path / "runs" / "stopped" / "oof.zarr.partial").glob("case-*"))) == 5
    assert start(configs, *NATIVE, "run=stopped") == 0
    unbroken, stopped = tmp_path / "runs" / "unbroken", tmp_path / "runs" / "stopped"
    for name in ("submission.csv", "scores.json", "fold1/metrics.csv"):
        assert (unbroken / name).read_bytes() == (stopped / name).read_bytes(), name
    first, second = Store(unbroken / "oof.zarr"), Store(stopped / "oof.zarr")
    assert len(first) == len(second) == 8
    for case in first:
        logits, geometry = first.read(case)
        assert np.array_equal(logits, second.read(case)[0])
        assert geometry.network == geometry.original == (128, 128)


def test_validation_sees_what_is_stored(configs: Path, tmp_path: Path) -> None:
    """Without flips the validation Dice of a fold is that of its out-of-fold store, to the last digit."""
    given = ["data.size=[96, 96]", "data.window={size: [48, 48]}", "predict.window={size: [48, 48], stride: [24, 40]}"]
    assert start(configs, *given, "predict.flips=none", "data.folds.train=[0]") == 0
    folder = tmp_path / "runs" / "tiny"
    scores = json.loads((folder / "scores.json").read_text())
    validated = json.loads((folder / "fold0" / "fold.json").read_text())["val_dice"]
    assert scores[0]["mean"] == pytest.approx(validated, abs=1e-9)
    assert Store(folder / "oof.zarr").open(next(iter(Store(folder / "oof.zarr")))).geometry.network == (96, 96)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("data.window={size: [20, 16]}", "data.window.size must be a multiple of 8"),
        ("predict.window={size: [20, 16]}", "predict.window.size must be a multiple of 8"),
        ("predict.window={size: [96, 96]}", r"predict.window.size \[96, 96\] is larger than data.size"),
        ("data.window={size: [32, 32], classes: {Radios: 2}}", "data.window.classes names no class: Radios.*Radius"),
    ],
)
def test_windows_that_do_not_fit_are_refused(
    configs: Path, capsys: pytest.CaptureFixture[str], given: str, message: str
) -> None:
    assert start(configs, given) == 1
    said = capsys.readouterr().err
    assert re.search(message, said, re.IGNORECASE), said
