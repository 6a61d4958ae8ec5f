"""Adapter: a method as a LightningModule. Nothing of the method leaks into the loop, nothing of Lightning out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor, nn

from phalanx.core.case import Batch
from phalanx.core.errors import RunError
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.core.progress import Progress
from phalanx.metrics import _counts
from phalanx.metrics.dice import Dice
from phalanx.train import optimisers, schedules
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
        self.infer: Infer = lambda predict, images: predict(images).float().cpu().numpy()

    def configure_optimizers(self) -> Any:
        """The configured optimiser, its rate set at every step."""
        optimiser = optimisers.build(self.config.optimiser, self.method.parameters())
        total = int(self.trainer.estimated_stepping_batches)
        schedule = schedules.build(self.config.schedule, optimiser, self.config.optimiser.lr, total)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def clock(self) -> Progress:
        """Steps done and steps to do."""
        return Progress(self.global_step, int(self.trainer.estimated_stepping_batches))

    def on_train_epoch_start(self) -> None:
        """Draw from a seed of the epoch's own, so that a resumed run repeats an unbroken one."""
        torch.manual_seed(_mix(self.seed, self.current_epoch))

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """The sum of the method's terms, each logged by its name."""
        terms = self.method.step(batch, self.clock())  # type: ignore[operator]
        loss = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(loss):
            raise RunError(
                "training diverged",
                f"loss {loss.item()} at step {self.global_step}",
                "lower train.optimiser.lr, or set train.precision=32",
            )
        self.log("train_loss", loss.detach(), on_step=False, on_epoch=True, prog_bar=True, batch_size=len(batch.x))
        if len(terms) > 1:
            named = {f"train_{name}": value.detach() for name, value in terms.items()}
            self.log_dict(named, on_step=False, on_epoch=True, batch_size=len(batch.x))
        self.seen_step = self.global_step
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Tell the method when an optimiser step was taken."""
        if self.global_step > self.seen_step:
            self.method.after_step(self.clock())  # type: ignore[operator]

    def on_train_epoch_end(self) -> None:
        """Tell the method that an epoch is over."""
        self.method.end_epoch()  # type: ignore[operator]

    def validation_step(self, batch: Batch, index: int) -> None:
        """Count pixels at the original size; nothing larger than the batch's logits is kept."""
        logits = self.infer(self.method.predict, batch.x)  # type: ignore[arg-type]
        for case, stack in zip(batch.ids, logits, strict=True):
            geometry, truth = self.truth[case]
            self.counts.append(_counts.of_logits(stack, geometry, self.labels, truth))

    def on_validation_epoch_end(self) -> None:
        """Mean Dice over cases, then classes."""
        dice = self.score(np.stack(self.counts))
        self.counts.clear()
        self.log("val_dice", float(dice.mean(0).mean()), prog_bar=True)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Move a batch's tensors, images in channels-last order, as the network's weights are; unpack labels there."""
        batch.x = batch.x.to(device, non_blocking=True, memory_format=torch.channels_last)
        batch.y = self.labels.unpack(batch.y.to(device, non_blocking=True))
        if batch.other is not None:
            batch.other = self.labels.unpack(batch.other.to(device, non_blocking=True))
        return batch


def _mix(*numbers: int) -> int:
    """One 63-bit seed of several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
