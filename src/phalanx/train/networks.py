"""Networks: what the loop may ask of the networks inside a method, beyond the four calls of the method itself.

A network may offer `encoder_parameters()` (rates of their own, freezing) and `checkpoint_activations(on)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn
from torch.nn import Parameter
from torch.nn.modules.batchnorm import _NormBase  # pyright: ignore[reportPrivateUsage]

from phalanx.core.errors import ConfigError


def able(method: nn.Module, ability: str, key: str) -> list[Any]:
    """The networks of a method that have a method `ability`.

    Args:
        method: a learning rule.
        ability: the name to look for.
        key: of the configuration that needs it, for the error.

    Raises:
        ConfigError: there is none.
    """
    found = list(_outermost(method, ability))
    if not found:
        kinds = ", ".join(sorted({type(child).__name__ for child in method.children()})) or type(method).__name__
        raise ConfigError(f"{key} does not work with this network", f"{kinds} has no {ability}()", f"leave {key} out")
    return found


def _outermost(module: nn.Module, ability: str) -> Iterator[nn.Module]:
    for child in module.children():
        if callable(getattr(child, ability, None)):
            yield child
        else:
            yield from _outermost(child, ability)


def encoder_parameters(method: nn.Module, key: str) -> list[Parameter]:
    """The parameters of the encoders of a method's networks, those apart that never learn (of teachers)."""
    networks = able(method, "encoder_parameters", key)
    return [parameter for network in networks for parameter in network.encoder_parameters() if parameter.requires_grad]


def freeze(method: nn.Module, parameters: list[Parameter], frozen: bool) -> None:
    """Let parameters learn or not, and with them the running statistics of the norms that they belong to.

    Args:
        method: where the norms are looked for; it must be in training mode.
        parameters: all that are or were frozen.
        frozen: True: they stay as they are.
    """
    for parameter in parameters:
        parameter.requires_grad_(not frozen)
        if frozen:
            parameter.grad = None
    within = {id(parameter) for parameter in parameters}
    for module in method.modules():
        if isinstance(module, _NormBase) and any(id(parameter) in within for parameter in module.parameters()):
            module.train(not frozen)


def compile_stages(method: nn.Module) -> None:
    """Compile the stages of each network in place, whichever way the method calls them.

    `torch.compile(method)` would compile `forward`, which no method has, and rename every weight of a checkpoint.
    """
    for network in method.children():
        stages = list(network.children())
        while len(stages) == 1:
            network, stages = stages[0], list(stages[0].children())
        for stage in stages or [network]:
            if any(True for _ in stage.parameters()):
                stage.compile()
