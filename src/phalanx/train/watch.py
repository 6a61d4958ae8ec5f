"""Watch: somebody looks at each validation while a fold is trained, and may end it."""

from __future__ import annotations

from collections.abc import Callable

import lightning
from lightning.pytorch.callbacks import Callback

# Epoch (from 0) and validation Dice.
Watcher = Callable[[int, float], None]


class Watch(Callback):
    """Calls a function after each epoch that was validated; it holds no state, so checkpoints do not change.

    Args:
        look: what it raises ends the training and reaches whoever called `fit`.
    """

    def __init__(self, look: Watcher) -> None:
        self.look = look

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Say the Dice of this epoch, where there is one."""
        validated = (trainer.current_epoch + 1) % (trainer.check_val_every_n_epoch or 1) == 0
        if validated and "val_dice" in trainer.callback_metrics:
            self.look(trainer.current_epoch, float(trainer.callback_metrics["val_dice"]))
