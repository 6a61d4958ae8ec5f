"""Norms that look at one image alone, in the place of batch norms."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Literal

from torch import Tensor, nn


class GroupNorm(nn.GroupNorm):
    """A group norm that takes the place of a batch norm, and of the activation that timm puts into its batch norms.

    Args:
        groups: of channels that are normalised together.
        replaced: the batch norm; its weights are not taken over.
    """

    def __init__(self, groups: int, replaced: nn.BatchNorm2d) -> None:
        super().__init__(groups, replaced.num_features, replaced.eps)
        self.drop = getattr(replaced, "drop", None) or nn.Identity()
        self.act = getattr(replaced, "act", None) or nn.Identity()

    def forward(self, input: Tensor) -> Tensor:
        """The normalised and activated features, of the same shape."""
        return self.act(self.drop(super().forward(input)))


def replace(module: nn.Module, kind: Literal["batch", "group", "instance"], pooled: Collection[nn.Module]) -> None:
    """Put a norm that looks at one image alone in the place of batch norms; its weights start afresh.

    Args:
        module: the network or a part of it, changed in place.
        kind: `group`: up to 16 groups of channels; `instance`: each channel alone; `batch`: only the pooled change.
        pooled: batch norms that see one pixel an image. They give way to a norm over all channels: of a batch of two a
            batch norm would leave nothing but signs there, of one it cannot be computed; and of a single channel an
            instance norm leaves nothing.
    """
    for name, child in module.named_children():
        if not isinstance(child, nn.BatchNorm2d):
            replace(child, kind, pooled)
        elif child in pooled:
            setattr(module, name, GroupNorm(1, child))
        elif kind != "batch":
            groups = child.num_features if kind == "instance" else math.gcd(child.num_features, 16)
            setattr(module, name, GroupNorm(groups, child))
