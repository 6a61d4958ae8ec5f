"""Supervised learning on the labelled cases: the reference line of every comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from phalanx.core.case import Batch
from phalanx.core.catalogue import Strict
from phalanx.core.labels import LabelSpace
from phalanx.core.progress import Progress
from phalanx.losses._base import Loss
from phalanx.methods._base import Method


class Supervised(Method):
    """One network, one loss."""

    class Config(Strict):
        """Nothing to choose: the loss is the configuration's own section."""

        name: Literal["supervised"] = "supervised"

    def __init__(
        self, config: Config, make_net: Callable[[], nn.Module], labels: LabelSpace, loss: Loss, label_counts: Tensor
    ) -> None:
        super().__init__(config, make_net, labels, loss, label_counts)
        self.net = make_net()

    def step(self, batch: Batch, t: Progress) -> dict[str, Tensor]:
        """The supervised term alone."""
        return {"supervised": self.judge(self.net(batch.x), batch)}

    def predict(self, x: Tensor) -> Tensor:
        """The network's logits."""
        return self.net(x)
