"""Fit: train one fold, or go on where it stopped.

A fold's folder holds `last.ckpt` (everything needed to go on; it goes when the fold is done), the best `epoch*.ckpt`
(weights alone), `metrics.csv`, TensorBoard events, and at the end `weights.safetensors` and `fold.json`. `fold.json` is
written last: a fold that has it is done.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from torch import nn
from torch.utils.data import DataLoader

from phalanx.core import files
from phalanx.core.labels import LabelSpace
from phalanx.train import networks, shortage
from phalanx.train.adapter import Adapter, Infer, Truth, kept, memory_format
from phalanx.train.checkpoints import WholeFiles, load_weights, resumable, save_weights
from phalanx.train.history import History
from phalanx.train.settings import TrainConfig
from phalanx.train.watch import Watch, Watcher

_LOG = logging.getLogger("phalanx")

_KNOBS = (
    "lower train.batch_size (raise train.accumulate instead) or data.size, set train.checkpoint_activations=true or "
    "train.precision=bf16; batch_size=auto finds what fits"
)


def fit(
    method: nn.Module,
    train: DataLoader[Any],
    validation: DataLoader[Any],
    truth: Truth,
    *,
    labels: LabelSpace,
    config: TrainConfig,
    folder: Path,
    seed: int,
    watch: Watcher | None = None,
    infer: Infer | None = None,
) -> dict[str, Any]:
    """Train `method` to the end and leave it with the weights that predict.

    Args:
        method: the learning rule.
        train: its batches.
        validation: the held-out batches.
        truth: of the held-out cases.
        labels: the label space.
        config: the `train:` section.
        folder: of the fold.
        seed: of everything that is drawn.
        watch: called with (epoch, validation Dice) after each validation; what it raises ends the training.
        infer: how validation predicts, where that is not one forward pass a batch.

    Returns:
        What `fold.json` holds: val_dice, epoch (of the kept weights), epochs, steps, seconds, precision, parameters.
    """
    done = folder / "fold.json"
    if done.is_file():
        load_weights(method, folder / "weights.safetensors")
        return json.loads(done.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    if config.checkpoint_activations:
        for network in networks.able(method, "checkpoint_activations", "train.checkpoint_activations"):
            network.checkpoint_activations(True)
    adapter = Adapter(method.to(memory_format=memory_format(config)), config, labels, truth, seed)  # type: ignore[call-overload]
    adapter.infer = infer or adapter.infer
    if config.compile:
        networks.compile_stages(method)
    trainer = _trainer(config, folder, watch)
    last, started = folder / "last.ckpt", time.monotonic()
    state = resumable(last, adapter) if last.is_file() else None
    if state is not None:
        _tell_epoch(train, state)
    if state is None or not _stopped_early(state):
        with _quiet(), shortage.told("training", _KNOBS), _stoppable(trainer):
            trainer.fit(adapter, train, validation, ckpt_path=last if state else None, weights_only=True)
        # The last epoch need not be one of those that are validated and saved.
        trainer.save_checkpoint(last)
    return _finish(method, config, folder, started)


def precision(config: TrainConfig) -> str:
    """Lightning's name of the precision that `auto` means on this machine."""
    # Processors have no gradient scaling for float16: Lightning takes bfloat16 there, and so it is called.
    half = "16-mixed" if torch.cuda.is_available() else "bf16-mixed"
    names = {"32": "32-true", "bf16": "bf16-mixed", "16": half}
    if config.precision != "auto":
        return names[config.precision]
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    return "bf16-mixed" if torch.cpu._is_avx512_bf16_supported() else "32-true"  # type: ignore[attr-defined]


def _checkpoints(config: TrainConfig, folder: Path) -> list[ModelCheckpoint]:
    """The best by validation Dice, then the last: the last holds what the best has become."""
    best = ModelCheckpoint(
        folder, "epoch{epoch:04d}", "val_dice", mode="max", save_top_k=config.top_k, save_weights_only=True,
        auto_insert_metric_name=False, every_n_epochs=config.validate_every, save_on_train_epoch_end=True,
        enable_version_counter=False,
    )  # fmt: skip
    last = ModelCheckpoint(
        folder, "last", every_n_epochs=config.validate_every, save_on_train_epoch_end=True, enable_version_counter=False
    )
    return [best, last]


def _trainer(config: TrainConfig, folder: Path, watch: Watcher | None) -> lightning.Trainer:
    shown = sys.stderr.isatty()
    callbacks: list[Any] = [
        History(folder / "metrics.csv", None if shown else _LOG.info),
        *_checkpoints(config, folder),
    ]
    if watch is not None:
        callbacks.append(Watch(watch))
    if shown:
        callbacks.append(RichProgressBar())
    if config.patience:
        stopper = EarlyStopping("val_dice", mode="max", patience=config.patience, check_on_train_epoch_end=False)
        callbacks.append(stopper)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with _quiet():
        return lightning.Trainer(
            accelerator="auto", devices=1, precision=precision(config),  # type: ignore[arg-type]
            max_epochs=config.epochs, max_steps=config.max_steps, accumulate_grad_batches=config.accumulate,
            gradient_clip_val=config.clip_norm or None, check_val_every_n_epoch=config.validate_every,
            num_sanity_val_steps=0, callbacks=callbacks, plugins=[WholeFiles()],
            logger=TensorBoardLogger(folder, name="", version="tensorboard"), log_every_n_steps=10,
            enable_progress_bar=shown, enable_model_summary=False, deterministic="warn",
        )  # fmt: skip


def _tell_epoch(train: DataLoader[Any], state: Mapping[str, Any]) -> None:
    """Tell the sampler which epoch a resumed run begins with.

    Lightning tells it only after it has let the workers begin: they would prepare the first epoch once more.
    """
    sampler: Any = train.sampler
    if hasattr(sampler, "set_epoch"):
        sampler.set_epoch(state["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"])


def _stopped_early(state: Mapping[str, Any]) -> bool:
    """True when the run behind a checkpoint had already run out of patience."""
    states = [value for name, value in state["callbacks"].items() if name.startswith("EarlyStopping")]
    return any(value["stopped_epoch"] > 0 for value in states)


def _finish(method: nn.Module, config: TrainConfig, folder: Path, started: float) -> dict[str, Any]:
    """Put the kept weights into `method`, write them and `fold.json`."""
    last = torch.load(folder / "last.ckpt", map_location="cpu", weights_only=True)
    chosen = last
    states = [value for name, value in last["callbacks"].items() if name.startswith("ModelCheckpoint")]
    best = [state["best_model_path"] for state in states if state["monitor"] == "val_dice"]
    if config.keep == "best" and best and best[0]:
        # The stored path is absolute; the run folder may have moved since.
        chosen = torch.load(folder / Path(best[0]).name, map_location="cpu", weights_only=True)
    method.load_state_dict(kept(chosen))
    save_weights(method, folder / "weights.safetensors")
    rows = next(value["rows"] for name, value in last["callbacks"].items() if name.startswith("History"))
    # Saved after the loop, the last checkpoint counts the epoch that would have come next.
    epoch = int(rows[-1]["epoch"] if chosen is last else chosen["epoch"])
    scores = [row["val_dice"] for row in rows if row["epoch"] == epoch and "val_dice" in row]
    summary = {
        "val_dice": scores[-1] if scores else None,
        "epoch": epoch,
        "epochs": len(rows),
        "steps": int(last["global_step"]),
        "seconds": round(time.monotonic() - started, 1),
        "precision": precision(config),
        "parameters": sum(parameter.numel() for parameter in method.parameters()),
    }
    files.write_text(folder / "fold.json", json.dumps(summary, indent=2) + "\n")
    (folder / "last.ckpt").unlink()
    return summary


@contextmanager
def _stoppable(trainer: lightning.Trainer) -> Iterator[None]:
    """Ctrl-C stays Ctrl-C: Lightning ends the process instead, with status 1, and no longer hears a second one."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        if not trainer.interrupted:
            raise
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt from None
    if trainer.interrupted:
        raise KeyboardInterrupt


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides Lightning's advice about loaders and log folders, which a user of Phalanx cannot act on."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\.")
        warnings.filterwarnings("ignore", message=r".*(num_workers|does not have many workers|log_every_n_steps).*")
        yield
