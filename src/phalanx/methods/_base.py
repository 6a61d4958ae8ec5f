"""Method: a rule that turns batches into named loss terms.

The training loop knows four things about a method: `step`, `after_step`, `end_epoch` and `predict`. Networks, teachers,
thresholds and class weights are submodules, parameters or buffers, so that `state_dict()` is the whole checkpoint. A
method never opens a file; it declares the views it needs as class attributes and the data room builds exactly those.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from phalanx.core.case import Batch
from phalanx.core.catalogue import Strict
from phalanx.core.labels import LabelSpace
from phalanx.core.progress import Progress
from phalanx.losses._base import Loss


class Method(nn.Module, ABC):
    """A learning rule over one or more networks.

    Args:
        config: the entry's own `Config`.
        make_net: builds a fresh, differently initialised network at each call.
        labels: the label space.
        loss: the supervised loss of the configuration.
        label_counts: `(c,)` labelled pixels a channel in the training set, for class-balancing methods.
    """

    weak: bool = False
    strong: int = 0
    cutmix: bool = False

    def __init__(
        self,
        config: Strict,
        make_net: Callable[[], nn.Module],
        labels: LabelSpace,
        loss: Loss,
        label_counts: Tensor,
    ) -> None:
        super().__init__()
        self.config, self.make_net, self.labels, self.loss = config, make_net, labels, loss
        self.register_buffer("label_counts", label_counts.double(), persistent=False)

    @abstractmethod
    def step(self, batch: Batch, t: Progress) -> dict[str, Tensor]:
        """Named scalar terms, already weighted; the loop back-propagates their sum and logs each by its name."""

    def judge(self, logits: Tensor, batch: Batch) -> Tensor:
        """The supervised loss; of blended images (mixup) the weighted mean of those against both sets of labels."""
        own = self.loss(logits, batch.y)
        if batch.other is None:
            return own
        return batch.share * own + (1 - batch.share) * self.loss(logits, batch.other)

    def after_step(self, t: Progress) -> None:
        """Called after each optimiser step (teachers)."""

    def end_epoch(self) -> None:
        """Called after each epoch (thresholds, sampling rates)."""

    @abstractmethod
    def predict(self, x: Tensor) -> Tensor:
        """Logits `(b, c, h, w)` of images `(b, k, h, w)`; windows, flips and ensembling live outside."""
