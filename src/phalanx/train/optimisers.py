"""Optimisers by name, with a rate of its own for the encoder where one is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from phalanx.core.catalogue import Strict

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer


class Optimiser(Strict):
    """What every optimiser takes.

    Args:
        lr: learning rate of the decoder and the head, at its peak (see the schedule).
        weight_decay: of matrices and kernels; vectors (biases, norms) are not decayed.
        backbone_lr_factor: the encoder's rate over `lr`; below 1 for pretrained weights. The schedule keeps the ratio.
    """

    lr: float = Field(default=1e-4, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    backbone_lr_factor: float = Field(default=1.0, gt=0, le=10)


class AdamW(Optimiser):
    """Adam with decoupled weight decay. Source: Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101."""

    name: Literal["adamw"] = "adamw"
    betas: tuple[float, float] = (0.9, 0.999)


class Adam(Optimiser):
    """Adam; weight decay is added to the gradient. Source: Kingma & Ba 2015, https://arxiv.org/abs/1412.6980."""

    name: Literal["adam"] = "adam"
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(default=0.0, ge=0)


class RAdam(Optimiser):
    """Adam whose first steps are rectified instead of warmed up. Source: Liu 2020, https://arxiv.org/abs/1908.03265."""

    name: Literal["radam"] = "radam"
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(default=0.0, ge=0)


class Sgd(Optimiser):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"] = "sgd"
    lr: float = Field(default=1e-2, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = True
    weight_decay: float = Field(default=3e-5, ge=0)


class RmsProp(Optimiser):
    """Gradient over the root of its running mean square. Source: Hinton 2012, Neural Networks, lecture 6e.

    Args:
        alpha: decay of the running mean square.
        momentum: of the scaled gradient.
    """

    name: Literal["rmsprop"] = "rmsprop"
    alpha: float = Field(default=0.99, ge=0, lt=1)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)


OptimiserConfig = Annotated[AdamW | Adam | RAdam | Sgd | RmsProp, Field(discriminator="name")]


def build(config: Optimiser, parameters: Iterable[Parameter], backbone: Iterable[Parameter] = ()) -> Optimizer:
    """The configured optimiser.

    Args:
        config: one of the configurations above.
        parameters: everything that learns.
        backbone: those of them whose rate is `backbone_lr_factor` times the others'.
    """
    import torch

    kinds: dict[str, Any] = {
        "adamw": torch.optim.AdamW,
        "adam": torch.optim.Adam,
        "radam": torch.optim.RAdam,
        "sgd": torch.optim.SGD,
        "rmsprop": torch.optim.RMSprop,
    }
    options = config.model_dump(exclude={"name", "backbone_lr_factor"})
    if options.get("momentum") == 0.0:
        options.pop("nesterov", None)
    slow = {id(parameter) for parameter in backbone}
    groups: dict[tuple[bool, bool], list[Parameter]] = {
        (within, flat): [] for within in (False, True) for flat in (False, True)
    }
    for parameter in parameters:
        if parameter.requires_grad:
            groups[id(parameter) in slow, parameter.ndim <= 1].append(parameter)
    given = [
        {"params": members}
        | ({"lr": config.lr * config.backbone_lr_factor} if within else {})
        | ({"weight_decay": 0.0} if flat else {})
        for (within, flat), members in groups.items()
        if members
    ]
    return kinds[config.name](given, **options)  # type: ignore[attr-defined]
