"""A weighted sum of other losses, `0.5 bce + 0.5 dice` unless told otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from phalanx.core import catalogue
from phalanx.core.catalogue import Strict
from phalanx.core.labels import LabelSpace
from phalanx.losses._base import Loss

if TYPE_CHECKING:
    from torch import Tensor


class Term(Strict):
    """One term: a loss of this catalogue and its weight."""

    loss: catalogue.choice("losses")  # type: ignore[valid-type]
    weight: float = Field(default=1.0, ge=0)


class WeightedSum(Loss):
    """`sum_i weight_i * loss_i`."""

    class Config(Strict):
        """The terms, in the order in which they are added."""

        name: Literal["weighted_sum"] = "weighted_sum"
        terms: tuple[Term, ...] = Field(
            default=({"loss": {"name": "bce"}, "weight": 0.5}, {"loss": {"name": "dice"}, "weight": 0.5}),  # type: ignore[arg-type]
            min_length=1,
            validate_default=True,
        )

    def __init__(self, config: Config, labels: LabelSpace) -> None:
        super().__init__(labels)
        self.terms: list[tuple[float, Loss]] = [
            (term.weight, catalogue.build("losses", term.loss, labels)) for term in config.terms
        ]

    def progress(self, epoch: int, val_dice: float | None) -> None:
        """Tell the terms."""
        for _, loss in self.terms:
            loss.progress(epoch, val_dice)

    def value(self, logits: Tensor, target: Tensor) -> Tensor:
        """The terms' weighted sum."""
        total = logits.new_zeros(())
        for weight, loss in self.terms:
            total = total + weight * loss(logits, target)
        return total
