"""Adapter: a method as a LightningModule. Nothing of the method leaks into the loop, nothing of Lightning out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from phalanx.core.case import Batch
from phalanx.core.errors import RunError
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.core.progress import Progress
from phalanx.metrics import _counts
from phalanx.metrics.dice import Dice
from phalanx.train import averaging, networks, optimisers, rates
from phalanx.train.settings import TrainConfig

# (predict, images) -> logits `(c, h, w)` of each, or what can be looked at class by class like them.
Infer = Callable[[Callable[[Tensor], Tensor], Tensor], Iterable[Any]]
Truth = Mapping[str, tuple[Geometry, list[np.ndarray]]]


class Adapter(lightning.LightningModule):
    """Runs a method's four calls.

    Args:
        method: the learning rule (`step`, `after_step`, `end_epoch`, `predict`).
        config: the `train:` section.
        labels: the label space.
        truth: case id -> geometry and one run array a scored class, for validation at the original size.
        seed: of everything that is drawn on the device (dropout), anew in each epoch.
    """

    def __init__(self, method: Any, config: TrainConfig, labels: LabelSpace, truth: Truth, seed: int) -> None:
        super().__init__()
        self.method: nn.Module = method
        self.config, self.labels, self.truth, self.seed = config, labels, truth, seed
        self.score = Dice()
        self.counts: list[np.ndarray] = []
        self.dices: list[float] = []
        self.frozen = (
            networks.encoder_parameters(method, "train.freeze.encoder_epochs") if config.freeze.encoder_epochs else []
        )
        self.average = averaging.build(config, method)
        self.infer: Infer = lambda predict, images: predict(images).float().cpu().numpy()

    def configure_optimizers(self) -> Any:
        """The configured optimiser, its rate set at every step."""
        settings = self.config.optimiser
        backbone = []
        if settings.backbone_lr_factor != 1:
            backbone = networks.encoder_parameters(self.method, "train.optimiser.backbone_lr_factor")
        optimiser = optimisers.build(settings, self.method.parameters(), backbone)
        total = self.total
        schedule = LambdaLR(optimiser, lambda step: rates.factor(self.config, step, total, self.dices))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    @property
    def total(self) -> int:
        """Optimiser steps of the whole run."""
        return int(self.trainer.estimated_stepping_batches)

    def clock(self) -> Progress:
        """Steps done and steps to do."""
        return Progress(self.global_step, self.total)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Begin an epoch with its first batch: Lightning skips `on_train_epoch_start` in the epoch it resumes with."""
        if batch_idx == 0:
            self._begin_epoch()

    def _begin_epoch(self) -> None:
        """Set up everything that an epoch depends on, of what a resumed run knows: its number, the validations."""
        torch.manual_seed(_mix(self.seed, self.current_epoch))
        if self.frozen:
            networks.freeze(self.method, self.frozen, self.current_epoch < self.config.freeze.encoder_epochs)
        loss = getattr(self.method, "loss", None)
        if callable(getattr(loss, "progress", None)):
            loss.progress(self.current_epoch, self.dices[-1] if self.dices else None)  # type: ignore[union-attr]
        # The scheduler set this step's rate before the last validation, which a plateau waits for.
        schedule: Any = self.lr_schedulers()
        for group, base, factor in zip(
            schedule.optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True
        ):
            group["lr"] = base * factor(schedule.last_epoch)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """The sum of the method's terms, each logged by its name."""
        terms = self.method.step(batch, self.clock())  # type: ignore[operator]
        loss = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(loss):
            raise _diverged(f"loss {loss.item()} at step {self.global_step}")
        self.log("train_loss", loss.detach(), on_step=False, on_epoch=True, prog_bar=True, batch_size=len(batch.x))
        if len(terms) > 1:
            named = {f"train_{name}": value.detach() for name, value in terms.items()}
            self.log_dict(named, on_step=False, on_epoch=True, batch_size=len(batch.x))
        self.seen_step = self.global_step
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Tell the method when an optimiser step was taken, and take it into the average."""
        if self.global_step > self.seen_step:
            self.method.after_step(self.clock())  # type: ignore[operator]
            if self.average is not None and self.config.ema is not None:
                self.average.update_parameters(self.method)
        if self.average is not None and self.config.swa is not None:
            self._average_epoch()

    def _average_epoch(self) -> None:
        """Take the weights at the end of an epoch into the mean; measure its norms where it will be looked at."""
        trainer, total = self.trainer, self.total
        over = self.global_step >= total
        if not (trainer.is_last_batch or over) or self.global_step <= rates.averaged_from(self.config, total):
            return
        assert self.average is not None
        self.average.update_parameters(self.method)
        if over or (self.current_epoch + 1) % self.config.validate_every == 0:
            with trainer.precision_plugin.forward_context():
                averaging.refresh(self.average, self._training_images())

    def _training_images(self) -> Iterator[Tensor]:
        """The images of this epoch once more, as they were drawn for it."""
        for batch in self.trainer.train_dataloader:  # type: ignore[union-attr]
            yield self.transfer_batch_to_device(batch, self.device, 0).x

    def on_train_epoch_end(self) -> None:
        """Tell the method that an epoch is over."""
        self.method.end_epoch()  # type: ignore[operator]

    @property
    def predicting(self) -> Any:
        """The method whose weights validate and predict: the average, once there is one."""
        return self.average.module if self.average is not None and averaging.begun(self.average) else self.method

    def _finite(self, images: Tensor) -> Tensor:
        """Logits of images, by the weights that validate."""
        logits = self.predicting.predict(images)
        if not torch.isfinite(logits).all():
            # Before a checkpoint is written: the one from before stays the last.
            raise _diverged(f"the network's logits are not finite in epoch {self.current_epoch + 1}")
        return logits

    def validation_step(self, batch: Batch, index: int) -> None:
        """Count pixels at the original size; nothing larger than the batch's logits is kept."""
        logits = self.infer(self._finite, batch.x)
        for case, stack in zip(batch.ids, logits, strict=True):
            geometry, truth = self.truth[case]
            self.counts.append(_counts.of_logits(stack, geometry, self.labels, truth))

    def on_validation_epoch_end(self) -> None:
        """Mean Dice over cases, then classes."""
        dice = self.score(np.stack(self.counts))
        self.counts.clear()
        self.dices.append(float(dice.mean(0).mean()))
        self.log("val_dice", self.dices[-1], prog_bar=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the validations; of a checkpoint of weights alone keep those that were validated."""
        checkpoint["dices"] = list(self.dices)
        if "optimizer_states" not in checkpoint:
            checkpoint["state_dict"] = {f"method.{name}": value for name, value in kept(checkpoint).items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the validations of the checkpoint that a run goes on from."""
        self.dices = list(checkpoint["dices"])

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Move a batch's tensors, images in the same order as the network's weights; labels are unpacked there."""
        batch.x = batch.x.to(device, non_blocking=True, memory_format=memory_format(self.config))
        batch.y = self.labels.unpack(batch.y.to(device, non_blocking=True))
        if batch.other is not None:
            batch.other = self.labels.unpack(batch.other.to(device, non_blocking=True))
        return batch


def kept(checkpoint: dict[str, Any]) -> dict[str, Tensor]:
    """The state of the method that a checkpoint predicts with: of the average, where there is one."""
    state = checkpoint["state_dict"]
    count = state.get("average.n_averaged")
    prefix = "average.module." if count is not None and count > 0 else "method."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def memory_format(config: TrainConfig) -> torch.memory_format:
    """The order of images and kernels in memory."""
    return torch.channels_last if config.channels_last else torch.contiguous_format


def _diverged(seen: str) -> RunError:
    return RunError("training diverged", seen, "lower train.optimiser.lr, or set train.precision=32")


def _mix(*numbers: int) -> int:
    """One 63-bit seed of several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
