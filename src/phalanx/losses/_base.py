"""Loss: logits `(b, c, ...)` and labels in, one scalar out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from phalanx.core.catalogue import Strict, nearest
from phalanx.core.errors import ConfigError
from phalanx.core.labels import LabelSpace

if TYPE_CHECKING:
    from torch import Tensor

_Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class LossConfig(Strict):
    """What every loss over classes takes.

    Args:
        class_weights: class name -> weight, 1 for those not named; or one weight a class in their order, with or
            without that of an exclusive space's background. Weights are relative: twice all of them changes nothing.
    """

    class_weights: dict[str, _Weight] | tuple[_Weight, ...] | None = None


class Loss(ABC):
    """A function of logits and labels. Stateless, so it is no module; in float32 whatever the network ran in.

    Args:
        labels: the label space.
        class_weights: see `LossConfig`.
    """

    def __init__(
        self, labels: LabelSpace, class_weights: Mapping[str, float] | tuple[float, ...] | None = None
    ) -> None:
        self.labels = labels
        self.weights = None if class_weights is None else channel_weights(labels, class_weights)

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        """Scalar loss of logits `(b, c, ...)` against labels, `(b, ...)` indices or `(b, c, ...)` zeros and ones."""
        # Networks on a CPU run channels-last; the planes of one class side by side halve the time of the sums below.
        return self.value(logits.float().contiguous(), target)

    @abstractmethod
    def value(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of float32 logits."""

    def progress(self, epoch: int, val_dice: float | None) -> None:  # noqa: B027 - most losses never change
        """Called at the start of every epoch, for losses that change as training goes on.

        A resumed run calls it with the same values, so whatever it sets must follow from them alone.

        Args:
            epoch: that begins, the first is 0.
            val_dice: validation Dice so far, None: not measured yet.
        """

    def over_classes(self, losses: Tensor) -> Tensor:
        """Mean of the losses `(..., scored)` of the scored classes, weighted."""
        if self.weights is None:
            return losses.mean()
        weights = losses.new_tensor([self.weights[channel] for channel in self.labels.scored])
        return (losses * weights).sum(-1).mean() / weights.sum()

    def over_channels(self, losses: Tensor) -> Tensor:
        """Mean of the losses `(b, c, ...)` of every pixel in every channel, the channels weighted."""
        if self.weights is None:
            return losses.mean()
        weights = losses.new_tensor(self.weights)
        return (losses.flatten(2).mean((0, 2)) * weights).sum() / weights.sum()

    def over_pixels(self, losses: Tensor, target: Tensor) -> Tensor:
        """Mean of the losses `(b, ...)` of pixels, each weighted by its true class; 0 where none weighs anything."""
        if self.weights is None:
            return losses.mean()
        weights = losses.new_tensor(self.weights)[target.long()]
        return (losses * weights).sum() / weights.sum().clamp(min=1e-8)


def channel_weights(labels: LabelSpace, given: Mapping[str, float] | tuple[float, ...]) -> tuple[float, ...]:
    """One weight a channel.

    Raises:
        ConfigError: an unknown class, another number of weights than of classes, or nothing that weighs anything.
    """
    names = labels.names
    if isinstance(given, Mapping):
        for name in given:
            if name not in names:
                raise ConfigError("class_weights names a class that is not there", name, nearest(name, names))
        weights = tuple(float(given.get(name, 1.0)) for name in names)
    else:
        background = (1.0,) if labels.exclusive and len(given) == len(names) - 1 else ()
        weights = (*background, *given)
        if len(weights) != len(names):
            raise ConfigError(
                f"class_weights needs a weight for each of {len(names)} classes", len(given), "name the classes instead"
            )
    if not any(weights[channel] for channel in labels.scored):
        raise ConfigError("class_weights leaves nothing to learn", list(weights), "give a class a positive weight")
    return weights
