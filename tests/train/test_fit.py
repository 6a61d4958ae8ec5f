"""The loop: it learns, keeps what it should, and goes on exactly where it stopped."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from phalanx.core import catalogue
from phalanx.core.case import Batch
from phalanx.core.errors import RunError
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.data.loader import EpochSampler, collate
from phalanx.mask import runs
from phalanx.train import fit
from phalanx.train.settings import TrainConfig

LABELS = LabelSpace(("square", "bar"))
SIZE = (24, 32)


class Shapes(torch.utils.data.Dataset):
    """Noisy squares and bars, a draw for each (epoch, index)."""

    def __len__(self) -> int:
        return 9

    def __getitem__(self, key: tuple[int, int]):
        epoch, index = key
        masks = np.zeros((2, *SIZE), np.uint8)
        masks[0, 3 + index : 12 + index, 4:14] = 1
        masks[1, :, 18 + index : 22 + index] = 1
        noise = np.random.default_rng((epoch, index)).normal(0, 0.3, (1, *SIZE))
        image = masks[:1] + 0.5 * masks[1:] + noise
        return str(index), image.astype(np.float32), masks


def truth():
    geometry = Geometry.fit(SIZE, SIZE, keep_aspect=False)
    return {str(index): (geometry, [runs.from_mask(mask) for mask in Shapes()[0, index][2]]) for index in range(9)}


def method():
    torch.manual_seed(11)
    config = catalogue.entry("models", "unet").Config(
        encoder="resnet18", weights=None, channels=1, depth=3, decoder_channels=(16, 8, 8)
    )
    loss = catalogue.build("losses", catalogue.entry("losses", "weighted_sum").Config(), LABELS)
    supervised = catalogue.entry("methods", "supervised")
    make_net = lambda: catalogue.build("models", config).build(2)  # noqa: E731
    return supervised(supervised.Config(), make_net, LABELS, loss, torch.ones(2))


def loaders() -> tuple[DataLoader, DataLoader]:
    train = DataLoader(Shapes(), 4, sampler=EpochSampler(9, 1, shuffle=True), collate_fn=collate, drop_last=True)
    return train, DataLoader(Shapes(), 4, sampler=EpochSampler(9, 1, shuffle=False), collate_fn=collate)


def settings(**changes) -> TrainConfig:
    return TrainConfig.model_validate(
        {
            "epochs": 4,
            "precision": "32",
            "optimiser": {"name": "adamw", "lr": 5e-3},
            "top_k": 2,
            "keep": "last",
            **changes,
        }
    )


def train(folder: Path, config: TrainConfig, trained=None):
    trained = trained or method()
    first, second = loaders()
    summary = fit.fit(trained, first, second, truth(), labels=LABELS, config=config, folder=folder, seed=7)
    return trained, summary


class KilledError(Exception):
    """Stands for a kill between two batches."""


def test_training_raises_dice_and_leaves_its_files(tmp_path: Path) -> None:
    _, summary = train(tmp_path, settings(epochs=10, keep="best"))
    rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert rows[0].startswith("epoch,step,train_loss,val_dice,lr")
    assert len(rows) == 11
    dice = [float(row.split(",")[3]) for row in rows[1:]]
    assert summary["val_dice"] == max(dice) > 0.7
    assert max(dice) > dice[0]
    assert dice.index(max(dice)) == summary["epoch"]
    assert summary["steps"] == 20
    _, kept_last = train(tmp_path / "last", settings(epochs=2))
    assert kept_last["epoch"] == 1
    assert kept_last["val_dice"] is not None
    kept = sorted(path.name for path in tmp_path.glob("*.ckpt"))
    best = sorted(sorted(range(10), key=lambda epoch: dice[epoch])[-2:])
    assert kept == [f"epoch{epoch:04d}.ckpt" for epoch in best]
    assert any((tmp_path / "tensorboard").iterdir())


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": {"name": "one_cycle"}},
        {"schedule": {"name": "cosine_restarts", "T_0": 3, "T_up": 1}, "optimiser": {"name": "sgd", "lr": 0.05}},
        {"precision": "bf16", "keep": "best", "validate_every": 2, "accumulate": 2},
    ],
)
@pytest.mark.parametrize("stop", [3, 5])
def test_a_killed_run_ends_as_an_unbroken_one(tmp_path: Path, changes: dict, stop: int) -> None:
    config = settings(**changes)
    unbroken, summary = train(tmp_path / "unbroken", config)
    killed = method()
    taken, step = 0, killed.step

    def stepping(batch: Batch, t):
        nonlocal taken
        taken += 1
        if taken > stop:
            raise KilledError
        return step(batch, t)

    killed.step = stepping
    with pytest.raises(KilledError):
        train(tmp_path / "killed", config, killed)
    assert not (tmp_path / "killed" / "fold.json").exists()
    torch.manual_seed(999)  # whatever the machine's generators hold must not matter
    resumed, again = train(tmp_path / "killed", config)
    for name, tensor in unbroken.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    assert (tmp_path / "unbroken/metrics.csv").read_text() == (tmp_path / "killed/metrics.csv").read_text()
    assert {**summary, "seconds": 0} == {**again, "seconds": 0}


def test_a_finished_fold_is_not_trained_again(tmp_path: Path) -> None:
    first, summary = train(tmp_path, settings(epochs=2))
    fresh = method()
    fresh.step = lambda batch, t: pytest.fail("trained again")
    again, repeated = train(tmp_path, settings(epochs=2), fresh)
    assert repeated == summary == json.loads((tmp_path / "fold.json").read_text())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


def test_a_run_killed_after_its_last_step_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings(validate_every=3)
    unbroken, summary = train(tmp_path / "unbroken", config)

    def killed(*arguments):
        raise KilledError

    with monkeypatch.context() as patched, pytest.raises(KilledError):
        patched.setattr(fit, "_finish", killed)
        train(tmp_path / "killed", config)
    resumed, again = train(tmp_path / "killed", config)
    assert {**summary, "seconds": 0} == {**again, "seconds": 0}
    for name, tensor in unbroken.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_patience_ends_a_run_and_a_resume_does_not_begin_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(epochs=30, patience=2, optimiser={"name": "sgd", "lr": 1e-9})

    def killed(*arguments):
        raise KilledError

    with monkeypatch.context() as patched, pytest.raises(KilledError):
        patched.setattr(fit, "_finish", killed)  # after training, before its weights are written
        train(tmp_path, config)
    rows = (tmp_path / "metrics.csv").read_text()
    assert 3 <= len(rows.splitlines()) - 1 < 30
    fresh = method()
    fresh.step = lambda batch, t: pytest.fail("trained on after it had stopped")
    _, summary = train(tmp_path, config, fresh)
    assert summary["epochs"] == len(rows.splitlines()) - 1
    assert (tmp_path / "metrics.csv").read_text() == rows


def test_divergence_is_one_clear_line(tmp_path: Path) -> None:
    broken = method()
    broken.step = lambda batch, t: {"supervised": sum(p.sum() for p in broken.parameters()) * float("nan")}
    with pytest.raises(RunError, match=r"training diverged: loss nan at step 0\. Lower train\.optimiser\.lr"):
        train(tmp_path, settings(), broken)


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    train(tmp_path, settings(epochs=1))
    (tmp_path / "weights.safetensors").write_bytes(b"half")
    with pytest.raises(RunError, match="delete this fold to train it again|Delete this fold"):
        train(tmp_path, settings(epochs=1))
