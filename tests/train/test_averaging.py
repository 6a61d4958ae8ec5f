"""Averages of weights: the numbers by hand, and that what is validated is what is kept and what predicts."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from phalanx.core.labels import LabelSpace
from phalanx.metrics import _counts
from phalanx.metrics.dice import Dice
from phalanx.train import averaging
from phalanx.train.checkpoints import load_weights


class Steps:
    """Takes down the state of a method after every optimiser step."""

    def __init__(self, method) -> None:
        self.states: list[dict[str, torch.Tensor]] = []
        kept = method.after_step

        def after(t) -> None:
            kept(t)
            self.states.append({name: tensor.clone() for name, tensor in method.state_dict().items()})

        method.after_step = after


def dice_of(fake, method) -> float:
    method.eval()
    counts = []
    for index in range(fake.CASES):
        case, image, _ = fake.Shapes()[0, index]
        geometry, truth = fake.truth()[case]
        with torch.no_grad():
            logits = method.predict(torch.from_numpy(image)[None])[0].numpy()
        counts.append(_counts.of_logits(logits, geometry, LabelSpace(("square", "bar")), truth))
    return float(Dice()(np.stack(counts)).mean(0).mean())


def test_the_moving_average_by_hand(fake, tmp_path: Path) -> None:
    method = fake.method()
    steps = Steps(method)
    fake.train(tmp_path, fake.settings(ema=0.3, channels_last=False), method)
    assert len(steps.states) == 8
    name, norm, count = "net.head.weight", "net.encoder.1.running_mean", "net.encoder.1.num_batches_tracked"
    expected = {key: steps.states[0][key].double() for key in (name, norm)}
    for number, state in enumerate(steps.states[1:], 1):
        decay = min(0.3, (1 + number) / (10 + number))  # 2/11, 3/12, 4/13 > 0.3
        for key in expected:
            expected[key] = decay * expected[key] + (1 - decay) * state[key]
    for key, value in expected.items():
        assert torch.allclose(method.state_dict()[key].double(), value, atol=1e-6), key
        assert not torch.allclose(steps.states[-1][key].double(), value, atol=1e-6)
    assert method.state_dict()[count] == steps.states[-1][count] == 8


def test_stochastic_weight_averaging_by_hand(fake, tmp_path: Path) -> None:
    method = fake.method()
    steps = Steps(method)
    fake.train(tmp_path, fake.settings(epochs=5, swa={"start": 0.4}), method)
    # Two steps an epoch, ten in all: averaged are the weights at the ends of epochs 2, 3 and 4.
    ends = [steps.states[index]["net.head.weight"] for index in (5, 7, 9)]
    assert torch.allclose(method.net.head.weight, sum(ends) / 3, atol=1e-6)
    # The norms' statistics are those of the averaged weights on the images of the last epoch: batches of 4 and 4.
    encoder, order = method.net.encoder, np.random.default_rng((1, 4)).permutation(fake.CASES)
    means = []
    for first in (0, 4):
        images = np.stack([fake.Shapes()[4, int(index)][1] for index in order[first : first + 4]])
        with torch.no_grad():
            means.append(encoder[0](torch.from_numpy(images)).mean((0, 2, 3)))
    assert torch.allclose(encoder[1].running_mean, sum(means) / 2, atol=1e-5)
    assert encoder[1].momentum == 0.1


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("average", [{"ema": 0.6}, {"swa": {"start": 0.3}}, {"swa": {"start": 0.9, "lr": 1e-3}}])
def test_what_was_validated_is_kept_and_predicts(fake, tmp_path: Path, average: dict, keep: str) -> None:
    method, summary = fake.train(tmp_path, fake.settings(epochs=6, keep=keep, **average))
    with (tmp_path / "metrics.csv").open() as file:
        dices = [float(row["val_dice"]) for row in csv.DictReader(file)]
    assert summary["val_dice"] == (max(dices) if keep == "best" else dices[-1])
    assert dice_of(fake, method) == pytest.approx(summary["val_dice"], abs=1e-6)
    fresh = fake.method()
    load_weights(fresh, tmp_path / "weights.safetensors")
    assert dice_of(fake, fresh) == pytest.approx(summary["val_dice"], abs=1e-6)


def test_a_run_without_a_validation_at_its_end_predicts_with_the_average(fake, tmp_path: Path) -> None:
    method = fake.method()
    steps = Steps(method)
    _, summary = fake.train(tmp_path, fake.settings(epochs=3, validate_every=2, swa={"start": 0.5}), method)
    assert summary["val_dice"] is None
    ends = [steps.states[index]["net.head.weight"] for index in (3, 5)]
    assert torch.allclose(method.net.head.weight, sum(ends) / 2, atol=1e-6)
    assert method.net.encoder[1].num_batches_tracked == 2  # measured anew in one pass of two batches


def test_a_run_that_ends_before_its_average_begins_keeps_its_weights(fake, tmp_path: Path) -> None:
    method = fake.method()
    steps = Steps(method)
    config = fake.settings(epochs=40, patience=1, swa={"start": 0.9}, optimiser={"name": "sgd", "lr": 1e-9})
    _, summary = fake.train(tmp_path, config, method)
    assert summary["epochs"] < 36
    assert torch.equal(method.net.head.weight, steps.states[-1]["net.head.weight"])


def test_networks_without_batch_norms_need_no_pass() -> None:
    method = nn.Sequential(nn.Conv2d(1, 2, 1), nn.GroupNorm(1, 2))
    drawn = []

    def images():
        drawn.append(1)
        yield torch.zeros(1, 1, 3, 5)

    averaging.refresh(torch.optim.swa_utils.AveragedModel(method), images())
    assert drawn == []
