"""Staged loss: one loss after another, as training goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from phalanx.core import catalogue
from phalanx.core.catalogue import Strict
from phalanx.core.labels import LabelSpace
from phalanx.losses._base import Loss

if TYPE_CHECKING:
    from torch import Tensor


class Stage(Strict):
    """A loss, and when it begins.

    Args:
        loss: a loss of this catalogue.
        from_epoch: it begins with this epoch; the first is 0.
        from_dice: it begins when the validation Dice is this good; looked at when an epoch begins.
    """

    loss: catalogue.choice("losses")  # type: ignore[valid-type]
    from_epoch: int | None = Field(default=None, ge=0)
    from_dice: float | None = Field(default=None, ge=0, le=1)

    def begun(self, epoch: int, val_dice: float | None) -> bool:
        """True when the stage has begun."""
        if self.from_dice is not None:
            return val_dice is not None and val_dice >= self.from_dice
        return epoch >= (self.from_epoch or 0)


class Staged(Loss):
    """The loss of the last stage that has begun."""

    class Config(Strict):
        """The stages in their order; the first begins at once, each other from an epoch or a Dice on.

        The default: cross-entropy and Dice alike, and from Dice 0.9 on mostly Dice.
        """

        name: Literal["staged"] = "staged"
        stages: tuple[Stage, ...] = Field(
            default=(
                {"loss": {"name": "weighted_sum"}},
                {
                    "from_dice": 0.9,
                    "loss": {
                        "name": "weighted_sum",
                        "terms": [{"loss": {"name": "bce"}, "weight": 0.2}, {"loss": {"name": "dice"}, "weight": 0.8}],
                    },
                },
            ),  # type: ignore[arg-type]
            min_length=1,
            validate_default=True,
        )

        @model_validator(mode="after")
        def _order(self) -> Staged.Config:
            first, *others = self.stages
            if first.from_epoch or first.from_dice is not None:
                raise ValueError("the first stage begins at once: leave its from_epoch and from_dice out")
            if any((stage.from_epoch is None) == (stage.from_dice is None) for stage in others):
                raise ValueError("every stage after the first needs either from_epoch or from_dice")
            epochs = [stage.from_epoch for stage in others if stage.from_epoch is not None]
            dices = [stage.from_dice for stage in others if stage.from_dice is not None]
            if epochs != sorted(epochs) or dices != sorted(dices):
                raise ValueError("the stages must be given in the order in which they begin")
            return self

    def __init__(self, config: Config, labels: LabelSpace) -> None:
        super().__init__(labels)
        self.stages = config.stages
        self.losses: list[Loss] = [catalogue.build("losses", stage.loss, labels) for stage in config.stages]
        self.stage = 0

    def progress(self, epoch: int, val_dice: float | None) -> None:
        """Go to the last stage that has begun; back again when the Dice that began it is lost."""
        self.stage = max(place for place, stage in enumerate(self.stages) if stage.begun(epoch, val_dice))
        for loss in self.losses:
            loss.progress(epoch, val_dice)

    def value(self, logits: Tensor, target: Tensor) -> Tensor:
        """The current stage's."""
        return self.losses[self.stage](logits, target)
