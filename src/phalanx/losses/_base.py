"""Loss: logits `(b, c, ...)` and labels in, one scalar out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from phalanx.core.labels import LabelSpace

if TYPE_CHECKING:
    from torch import Tensor


class Loss(ABC):
    """A function of logits and labels. Stateless, so it is no module; in float32 whatever the network ran in."""

    def __init__(self, labels: LabelSpace) -> None:
        self.labels = labels

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        """Scalar loss of logits `(b, c, ...)` against labels, `(b, ...)` indices or `(b, c, ...)` zeros and ones."""
        # Networks on a CPU run channels-last; the planes of one class side by side halve the time of the sums below.
        return self.value(logits.float().contiguous(), target)

    @abstractmethod
    def value(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of float32 logits."""
