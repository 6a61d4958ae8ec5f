"""History: one row an epoch in `metrics.csv`, as exact after a resume as in an unbroken run.

Lightning's own CSV logger starts its file afresh when a run goes on; ours travels in the checkpoint.
"""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from phalanx.core import files

COLUMNS = ("epoch", "step", "train_loss", "val_dice", "lr")


class History(Callback):
    """Keeps and writes the rows.

    Args:
        path: the CSV to write.
        announce: called with one line of text after each epoch (None: silent, a progress bar is shown instead).
    """

    def __init__(self, path: Path, announce: Any = None) -> None:
        self.path, self.announce = path, announce
        self.rows: list[dict[str, float]] = []
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add the epoch's row and write the file."""
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        row = {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
        }
        row |= {name: value for name, value in metrics.items() if name.startswith("train_")}
        if (trainer.current_epoch + 1) % (trainer.check_val_every_n_epoch or 1) == 0 and "val_dice" in metrics:
            row["val_dice"] = metrics["val_dice"]
        self.rows.append(row)
        self._write()
        if self.announce:
            dice = f", val Dice {row['val_dice']:.4f}" if "val_dice" in row else ""
            passed = f"{time.monotonic() - self.started:.0f} s"
            epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            self.announce(f"{epoch}: loss {row['train_loss']:.4f}{dice} ({passed})")

    def _write(self) -> None:
        extra = sorted({name for row in self.rows for name in row} - set(COLUMNS))
        text = io.StringIO()
        writer = csv.DictWriter(text, [*COLUMNS, *extra], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        files.write_text(self.path, text.getvalue())

    def state_dict(self) -> dict[str, Any]:
        """The rows, for the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The rows of the checkpoint that a run goes on from."""
        self.rows = list(state_dict["rows"])
