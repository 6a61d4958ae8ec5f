"""Member: one network of a run, trained on every fold, its predictions stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from phalanx import __version__
from phalanx.commands import _cases, _memory_plan
from phalanx.commands._cases import Cases
from phalanx.commands._experiment import Experiment
from phalanx.commands._run_folder import LOG, RunFolder
from phalanx.core import catalogue
from phalanx.core.case import Case
from phalanx.core.geometry import Geometry
from phalanx.core.progress import track
from phalanx.data import cache as caches
from phalanx.data import loader as loaders
from phalanx.data.cache import Cache
from phalanx.data.mixed import MixedCases
from phalanx.data.views import Views
from phalanx.data.windows import Window
from phalanx.predict import predictor, views
from phalanx.store.predictions import Writer
from phalanx.train import fit, shortage
from phalanx.train.adapter import memory_format
from phalanx.train.checkpoints import load_weights
from phalanx.train.watch import Watcher


class Member:
    """A member of a run.

    Args:
        name: "" when it is the only one; its files then lie in the run folder itself.
        experiment: its whole configuration.
        cases: what the run works on.
        run: the run folder.
    """

    def __init__(self, name: str, experiment: Experiment, cases: Cases, run: RunFolder) -> None:
        self.name, self.experiment, self.cases, self.run = name, experiment, cases, run
        self.folder = run.path / name if name else run.path
        if experiment.data.mirror is not None:
            experiment.data.mirror.check(cases.train.values())
        if experiment.data.window is not None:
            experiment.data.window.check(cases.labels.scored_names)
        self.cache: Cache = _cases.cache_of(experiment, cases.labels)
        shown = experiment.views
        self.training = Views(shown.train, shown.mean, shown.std)
        self.evaluation = Views(shown.evaluate, shown.mean, shown.std, section="views.evaluate", geometric=False)

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds that are trained."""
        settings = self.experiment.data.folds
        return settings.train or tuple(range(settings.count))

    @property
    def singly(self) -> bool:
        """Whether images are predicted one by one: in windows, or at sizes of their own."""
        return self.experiment.predict.window is not None or self.experiment.data.fit == "native"

    @property
    def frame(self) -> tuple[int, int]:
        """`(height, width)` of what the network sees at once."""
        data, window = self.experiment.data, self.experiment.predict.window
        return data.window.size if data.window else window.size if window else data.size

    @property
    def batch(self) -> int:
        """Images that are predicted together."""
        return 1 if self.singly else self.experiment.predict.batch_size

    @property
    def title(self) -> str:
        """What the log calls it."""
        return self.name or self.experiment.run

    def work(self) -> None:
        """Train, predict the held-out cases of each fold, predict the test cases; whatever is done already is kept."""
        with self.run.timed("decode"):
            _cases.fill([*self.cases.train.values(), *self.cases.test.values()], self.cache)
        for fold in self.folds:
            with self.run.timed(f"train {self.title} fold {fold}".replace("  ", " ")):
                self.train(fold)
        with self.run.timed("predict"):
            for part in ("oof", "test") if self.cases.test else ("oof",):
                if not (self.folder / f"{part}.zarr").exists():
                    self.predict_into(self.folder / f"{part}.zarr", part)

    def method(self, fold: int, counts: np.ndarray | None = None, shares: np.ndarray | None = None) -> Any:
        """A fresh method for a fold; `shares` sets the head's bias at the class prior."""
        experiment, labels = self.experiment, self.cases.labels
        made = 0

        def make_net() -> nn.Module:
            nonlocal made
            torch.manual_seed(int(np.random.SeedSequence((experiment.seed, fold, made)).generate_state(1)[0]))
            made += 1
            config = experiment.model if shares is not None else _untrained(experiment.model)
            network = catalogue.build("models", config).build(len(labels), self.frame)
            if shares is not None and experiment.train.prior_bias:
                network.start_at_prior(torch.from_numpy(shares), labels.exclusive)
            return network

        loss = catalogue.build("losses", experiment.loss, labels)
        counted = torch.from_numpy(np.ones(len(labels)) if counts is None else counts)
        return catalogue.build("methods", experiment.method, make_net, labels, loss, counted)

    def train(self, fold: int, watch: Watcher | None = None) -> None:
        """Train one fold, unless it is done; see `fit` for `watch`."""
        folder = self.folder / f"fold{fold}"
        if (folder / "fold.json").is_file():
            return
        train, held = self.cases.part(fold, held=False), self.cases.part(fold, held=True)
        shares, counts = caches.prior((self.cache.item(case) for case in train), self.cases.labels)
        method = self.method(fold, counts, shares)
        config, seed = self.experiment.train, _mix(self.experiment.seed, fold)
        batches = loaders.loader(
            self.mixed(self._data(train, self.training, seed, self.experiment.data.window)),
            _memory_plan.batch_size(self),
            workers=config.workers,
            shuffle=True,
        )
        held_batches = loaders.loader(self._data(held, self.evaluation, seed), self.batch, workers=0, shuffle=False)
        truth = {case.id: _truth(self.cache, case) for case in held}
        LOG.info("%s fold %d: %d cases to learn from, %d held out", self.title, fold, len(train), len(held))
        summary = fit.fit(
            method, batches, held_batches, truth, labels=self.cases.labels, config=config, folder=folder, seed=seed,
            watch=watch, infer=predictor.infer(self.experiment.predict) if self.singly else None,
        )  # fmt: skip
        dice = summary["val_dice"]
        said = "not measured" if dice is None else f"{dice:.4f}"
        LOG.info(
            "%s fold %d: done, val Dice %s of epoch %d, %.0f s",
            self.title, fold, said, summary["epoch"] + 1, summary["seconds"],
        )  # fmt: skip

    def mixed(self, data: loaders.CaseDataset) -> Any:
        """Training samples, mixed where `views` says so."""
        shown = self.experiment.views
        return MixedCases(data, shown, self.cases.labels) if MixedCases.wanted(shown) else data

    def predict_into(self, target: Path, part: Literal["oof", "test"], folds: tuple[int, ...] = ()) -> Path:
        """Predict the test cases with the networks of all folds, or held-out cases each with its own, into a store.

        Args:
            target: the store, which is not there yet.
            part: `test` or `oof`.
            folds: whose networks; all that are trained when empty.
        """
        chosen = list(folds or self.folds)
        writer = self._writer(target, {"oof": "out-of-fold", "test": "test"}[part], chosen)
        if part == "test":
            self._predict(chosen, list(self.cases.test.values()), writer, f"{self.title}: test cases")
        for fold in chosen if part == "oof" else []:
            held = self.cases.part(fold, held=True)
            if not all(case.id in writer for case in held):
                self._predict([fold], held, writer, f"{self.title} fold {fold}: held-out cases")
        writer.close()
        return target

    def _predict(self, folds: list[int], cases: list[Case], writer: Writer, title: str) -> None:
        looks = [look for fold in folds for look in self._looks(fold)]
        precision = json.loads((self.folder / f"fold{folds[0]}" / "fold.json").read_text())["precision"]
        batches = self._batches(cases, writer, title)
        with shortage.told("predicting", "lower predict.batch_size"):
            if self.singly:
                config = self.experiment.predict
                predictor.strips_into_store(looks, batches, writer, precision=precision, config=config)
            else:
                predictor.into_store(looks, batches, writer, precision=precision)

    def _looks(self, fold: int) -> list[Callable[[Tensor], Tensor]]:
        method = self.method(fold)
        load_weights(method, self.folder / f"fold{fold}" / "weights.safetensors")
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        method = method.to(device, memory_format=memory_format(self.experiment.train)).eval()
        return views.views(method.predict, self.experiment.predict.flips, self.experiment.predict.scales)

    def _batches(
        self, cases: Sequence[Case], writer: Writer, title: str
    ) -> Iterator[tuple[tuple[str, ...], Tensor, list[Geometry]]]:
        """Fixed groups of cases; one with a case missing comes whole.

        The last bits of a network's arithmetic depend on the size of the batch, and a resumed run must end as an
        unbroken one.
        """
        size = self.batch
        data = self._data(cases, self.evaluation, 0)
        for start in track(range(0, len(cases), size), title):
            group = cases[start : start + size]
            if all(case.id in writer for case in group):
                continue
            batch = loaders.collate([data[0, start + index] for index in range(len(group))])
            yield batch.ids, batch.x, [data.held.entry(case).geometry for case in group]

    def _data(
        self, cases: Sequence[Case], views: Views, seed: int, window: Window | None = None
    ) -> loaders.CaseDataset:
        return loaders.CaseDataset(cases, self.cache, views, self.cases.labels, seed, window=window)

    def _writer(self, path: Path, kind: str, folds: list[int]) -> Writer:
        attributes = {
            "kind": kind,
            "member": self.name,
            "folds": folds,
            "config": self.experiment.model_dump(
                mode="json", exclude={"runs": True, "train": {"workers"}, "data": {"cache"}}
            ),
            "phalanx": __version__,
        }
        return Writer(path, self.cases.labels, attributes, self.experiment.predict.dtype)


def _untrained(config: Any) -> Any:
    """A model's configuration without pretrained weights: a fold's own weights follow."""
    return config.model_copy(update={"weights": None}) if "weights" in type(config).model_fields else config


def _truth(cache: Cache, case: Case) -> tuple[Geometry, list[np.ndarray]]:
    entry = cache.entry(case)
    assert entry.truth is not None
    return entry.geometry, entry.truth


def _mix(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
