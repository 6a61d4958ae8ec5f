"""Optimisers by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from phalanx.core.catalogue import Strict

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer


class AdamW(Strict):
    """Adam with decoupled weight decay. Source: Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101."""

    name: Literal["adamw"] = "adamw"
    lr: float = Field(default=1e-4, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(default=1e-2, ge=0)


class Sgd(Strict):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"] = "sgd"
    lr: float = Field(default=1e-2, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = True
    weight_decay: float = Field(default=3e-5, ge=0)


OptimiserConfig = Annotated[AdamW | Sgd, Field(discriminator="name")]


def build(config: AdamW | Sgd, parameters: Iterable[Parameter]) -> Optimizer:
    """The configured optimiser over `parameters`; vectors (biases, norms) are not decayed."""
    import torch

    parameters = [parameter for parameter in parameters if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1]},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    options = config.model_dump(exclude={"name"})
    return torch.optim.AdamW(groups, **options) if config.name == "adamw" else torch.optim.SGD(groups, **options)
