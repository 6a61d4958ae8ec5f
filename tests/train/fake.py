"""A training of a few hundred weights: squares and bars, a network with an encoder, batch norms and dropout."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from phalanx.core import catalogue
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.data.loader import EpochSampler, collate
from phalanx.mask import runs
from phalanx.train import fit
from phalanx.train.settings import TrainConfig

LABELS = LabelSpace(("square", "bar"))
SIZE = (24, 32)
CASES = 9


class Shapes(torch.utils.data.Dataset):
    """Noisy squares and bars, a draw for each (epoch, index)."""

    def __len__(self) -> int:
        return CASES

    def __getitem__(self, key: tuple[int, int]):
        epoch, index = key
        masks = np.zeros((2, *SIZE), np.uint8)
        masks[0, 3 + index : 12 + index, 4:14] = 1
        masks[1, :, 18 + index : 22 + index] = 1
        noise = np.random.default_rng((epoch, index)).normal(0, 0.3, (1, *SIZE))
        image = masks[:1] + 0.5 * masks[1:] + noise
        return str(index), image.astype(np.float32), masks


class Net(nn.Module):
    """Two stages and a head; it offers what the loop may ask a network for."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout2d(0.1))
        self.decoder = nn.Sequential(nn.Conv2d(6, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Conv2d(4, 2, 1)
        self.checkpointed = False

    def encoder_parameters(self):
        return self.encoder.parameters()

    def checkpoint_activations(self, on: bool) -> None:
        self.checkpointed = on

    def forward(self, x):
        if self.checkpointed:
            features = torch.utils.checkpoint.checkpoint(self.encoder, x, use_reentrant=False)
        else:
            features = self.encoder(x)
        return self.head(self.decoder(features))


class Plain(nn.Module):
    """A network that offers nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 2, 1)

    def forward(self, x):
        return self.layer(x)


class Stages:
    """A loss that weighs its two terms by what the loop tells it, and remembers what that was."""

    def __init__(self, loss) -> None:
        self.loss, self.told, self.weight = loss, [], 1.0

    def progress(self, epoch: int, val_dice: float | None) -> None:
        self.told.append((epoch, val_dice))
        self.weight = 1.0 + epoch + (val_dice or 0.0)

    def __call__(self, logits, target):
        return self.weight * self.loss(logits, target)


def truth():
    geometry = Geometry.fit(SIZE, SIZE, keep_aspect=False)
    return {str(index): (geometry, [runs.from_mask(mask) for mask in Shapes()[0, index][2]]) for index in range(CASES)}


def method(net=Net, staged: bool = False):
    torch.manual_seed(11)
    loss = catalogue.build("losses", catalogue.entry("losses", "weighted_sum").Config(), LABELS)
    supervised = catalogue.entry("methods", "supervised")
    made = supervised(supervised.Config(), net, LABELS, loss, torch.ones(2))
    if staged:
        made.loss = Stages(loss)
    return made


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


def train(folder: Path, config: TrainConfig, trained=None, watch=None):
    trained = trained or method()
    first = DataLoader(Shapes(), 4, sampler=EpochSampler(CASES, 1, shuffle=True), collate_fn=collate, drop_last=True)
    second = DataLoader(Shapes(), 4, sampler=EpochSampler(CASES, 1, shuffle=False), collate_fn=collate)
    summary = fit.fit(trained, first, second, truth(), labels=LABELS, config=config, folder=folder, seed=7, watch=watch)
    return trained, summary


class KilledError(Exception):
    """Stands for a kill between two batches."""


def killed_at(step: int, trained):
    """The method; it is killed in its step number `step` (0-based)."""
    taken, kept = 0, trained.step

    def stepping(batch, t):
        nonlocal taken
        taken += 1
        if taken > step:
            raise KilledError
        return kept(batch, t)

    trained.step = stepping
    return trained


def assert_resumes(folder: Path, config: TrainConfig, make=method, stop: int = 5) -> None:
    """A run that is killed in the third epoch ends as an unbroken one, to the last bit."""
    unbroken, summary = train(folder / "unbroken", config, make())
    with pytest.raises(KilledError):
        train(folder / "killed", config, killed_at(stop, make()))
    torch.manual_seed(999)  # whatever the machine's generators hold must not matter
    resumed, again = train(folder / "killed", config, make())
    for name, tensor in unbroken.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    assert (folder / "unbroken/metrics.csv").read_text() == (folder / "killed/metrics.csv").read_text()
    assert {**summary, "seconds": 0} == {**again, "seconds": 0}
