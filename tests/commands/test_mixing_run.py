"""Training on mixed batches and mirrored hands: a resume, even with other workers, changes not one byte."""

from pathlib import Path

import pytest

from phalanx.commands import _cases
from phalanx.commands._experiment import load
from phalanx.commands._member import Member
from phalanx.commands._run_folder import RunFolder

VIEWS = (
    "views.copy_paste={p: 1.0}",
    "views.cutmix={p: 0.5}",
    "views.mixup={p: 1.0}",
    "views.multi_scale=[0.5, 1.5]",
    "data.mirror={}",
    "predict.flips=none",
    "train.epochs=3",
    "train.validate_every=1",
)


class Stopped(Exception):
    """Raised in the middle of a training."""


def train(configs: Path, name: str, *overrides: str, stop: int | None = None) -> bytes:
    """Weights of fold 0, trained on its own; `stop`: the epoch after which it is broken off."""
    experiment = load(configs, "tiny", [f"run={name}", *overrides])
    folder = RunFolder(experiment.runs / name, experiment.model_dump(mode="json"))

    def look(epoch: int, dice: float) -> None:
        if epoch == stop:
            raise Stopped

    try:
        Member("", experiment, _cases.prepare(experiment, folder), folder).train(0, look)
    finally:
        folder.close()
    return (folder.path / "fold0" / "weights.safetensors").read_bytes()


def test_a_resume_changes_nothing(configs: Path, tmp_path: Path) -> None:
    unbroken = train(configs, "unbroken", *VIEWS)
    with pytest.raises(Stopped):
        train(configs, "broken", *VIEWS, stop=1)
    assert (tmp_path / "runs" / "broken" / "fold0" / "last.ckpt").is_file()
    assert train(configs, "broken", *VIEWS, "train.workers=1") == unbroken
    for name, changed in (("plain", VIEWS[4:]), ("upright", VIEWS[:4] + VIEWS[5:])):
        assert train(configs, name, *changed) != unbroken
