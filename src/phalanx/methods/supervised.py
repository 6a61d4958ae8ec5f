"""Supervised learning on the labelled cases: the reference line of every comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from phalanx.core.case import Batch
from phalanx.core.catalogue import Strict
from phalanx.core.labels import LabelSpace
from phalanx.core.progress import Progress
from phalanx.losses._base import Loss
from phalanx.methods._base import Method


class Supervised(Method):
    """One network, one loss; of a network with several heads the loss of each.

    Deep supervision: Lee et al. 2015, https://arxiv.org/abs/1409.5185.
    """

    class Config(Strict):
        """The loss is the configuration's own section.

        Args:
            auxiliary: weight of the loss of each coarser head, for networks that have some.
        """

        name: Literal["supervised"] = "supervised"
        auxiliary: float = Field(default=0.4, ge=0)

    def __init__(
        self, config: Config, make_net: Callable[[], nn.Module], labels: LabelSpace, loss: Loss, label_counts: Tensor
    ) -> None:
        super().__init__(config, make_net, labels, loss, label_counts)
        self.net, self.auxiliary = make_net(), config.auxiliary

    def step(self, batch: Batch, t: Progress) -> dict[str, Tensor]:
        """The supervised term, and that of the coarser heads."""
        if not (self.auxiliary and getattr(self.net, "deeply_supervised", False)):
            return {"supervised": self.judge(self.net(batch.x), batch)}
        decoded = self.net.decode(self.net.encode(batch.x))  # type: ignore[operator]
        coarser = torch.stack([self.judge(logits, batch) for logits in decoded.pyramid])
        return {"supervised": self.judge(decoded.logits, batch), "auxiliary": self.auxiliary * coarser.sum()}

    def predict(self, x: Tensor) -> Tensor:
        """The network's logits."""
        return self.net(x)
