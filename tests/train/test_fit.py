"""The loop: it learns, keeps what it should, and goes on exactly where it stopped."""

import functools
import json
from pathlib import Path

import pytest
import torch

from phalanx.core import catalogue
from phalanx.core.errors import RunError
from phalanx.train import fit


def unet() -> torch.nn.Module:
    """A network as it is trained for real, but small."""
    config = catalogue.entry("models", "unet").Config(
        encoder="tu-test_resnet", weights=None, channels=1, depth=3, decoder_channels=(16, 8, 8)
    )
    return catalogue.build("models", config).build(2)


@pytest.fixture
def method(fake):
    return functools.partial(fake.method, unet)


@pytest.fixture
def train(fake, method):
    return lambda folder, config, trained=None: fake.train(folder, config, trained or method())


def test_training_raises_dice_and_leaves_its_files(fake, train, tmp_path: Path) -> None:
    _, summary = train(tmp_path, fake.settings(epochs=10, keep="best", optimiser={"name": "adamw", "lr": 2e-2}))
    rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert rows[0].startswith("epoch,step,train_loss,val_dice,lr")
    assert len(rows) == 11
    dice = [float(row.split(",")[3]) for row in rows[1:]]
    assert summary["val_dice"] == max(dice) > 0.7
    assert max(dice) > dice[0]
    assert dice.index(max(dice)) == summary["epoch"]
    assert summary["steps"] == 20
    _, kept_last = train(tmp_path / "last", fake.settings(epochs=2))
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
def test_a_killed_run_ends_as_an_unbroken_one(fake, method, tmp_path: Path, changes: dict, stop: int) -> None:
    fake.assert_resumes(tmp_path, fake.settings(**changes), method, stop)
    assert json.loads((tmp_path / "killed/fold.json").read_text())["epochs"] == 4


def test_a_finished_fold_is_not_trained_again(fake, method, train, tmp_path: Path) -> None:
    first, summary = train(tmp_path, fake.settings(epochs=2))
    fresh = method()
    fresh.step = lambda batch, t: pytest.fail("trained again")
    again, repeated = train(tmp_path, fake.settings(epochs=2), fresh)
    assert repeated == summary == json.loads((tmp_path / "fold.json").read_text())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


def test_a_run_killed_after_its_last_step_ends_the_same(
    fake, train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = fake.settings(validate_every=3)
    unbroken, summary = train(tmp_path / "unbroken", config)

    def killed(*arguments):
        raise fake.KilledError

    with monkeypatch.context() as patched, pytest.raises(fake.KilledError):
        patched.setattr(fit, "_finish", killed)
        train(tmp_path / "killed", config)
    resumed, again = train(tmp_path / "killed", config)
    assert {**summary, "seconds": 0} == {**again, "seconds": 0}
    for name, tensor in unbroken.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_patience_ends_a_run_and_a_resume_does_not_begin_it_again(
    fake, method, train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = fake.settings(epochs=30, patience=2, optimiser={"name": "sgd", "lr": 1e-9})

    def killed(*arguments):
        raise fake.KilledError

    with monkeypatch.context() as patched, pytest.raises(fake.KilledError):
        patched.setattr(fit, "_finish", killed)  # after training, before its weights are written
        train(tmp_path, config)
    rows = (tmp_path / "metrics.csv").read_text()
    assert 3 <= len(rows.splitlines()) - 1 < 30
    fresh = method()
    fresh.step = lambda batch, t: pytest.fail("trained on after it had stopped")
    _, summary = train(tmp_path, config, fresh)
    assert summary["epochs"] == len(rows.splitlines()) - 1
    assert (tmp_path / "metrics.csv").read_text() == rows


def test_divergence_is_one_clear_line(fake, method, train, tmp_path: Path) -> None:
    broken = method()
    broken.step = lambda batch, t: {"supervised": sum(p.sum() for p in broken.parameters()) * float("nan")}
    with pytest.raises(RunError, match=r"training diverged: loss nan at step 0\. Lower train\.optimiser\.lr"):
        train(tmp_path, fake.settings(), broken)


def test_damaged_weights_are_named(fake, train, tmp_path: Path) -> None:
    train(tmp_path, fake.settings(epochs=1))
    (tmp_path / "weights.safetensors").write_bytes(b"half")
    with pytest.raises(RunError, match="delete this fold to train it again|Delete this fold"):
        train(tmp_path, fake.settings(epochs=1))
