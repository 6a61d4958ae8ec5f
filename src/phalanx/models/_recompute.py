"""Activation checkpointing: the blocks of a network forget what they computed and do it again in the backward pass.

Source: Chen et al. 2016, https://arxiv.org/abs/1604.06174, by torch.utils.checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase  # pyright: ignore[reportPrivateUsage]
from torch.utils.checkpoint import checkpoint

from phalanx.core.errors import ConfigError

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def switch(network: nn.Module, on: bool) -> None:
    """Let every block of a network recompute, or not.

    Raises:
        ConfigError: the network has no blocks.
    """
    found = list(blocks(network))
    if not found:
        raise ConfigError(
            "activations cannot be checkpointed", f"{type(network).__name__} has no blocks", "leave the setting out"
        )
    for block in found:
        block.__dict__.pop("forward", None)
        if on:
            # A partial and no closure: a deep copy of the network, such as a teacher, is then bound to its own blocks.
            block.forward = partial(_forward, block)


def blocks(module: nn.Module) -> Iterator[nn.Module]:
    """The innermost modules that stand in a row of their kind and are made of several layers (residual blocks ...)."""
    for child in module.children():
        inner = list(blocks(child))
        if inner:
            yield from inner
        elif isinstance(module, _CONTAINERS) and type(child) not in _CONTAINERS and _is_composite(child):
            yield child


def _is_composite(module: nn.Module) -> bool:
    return any(True for _ in module.children()) and any(True for _ in module.parameters())


def _forward(block: nn.Module, *inputs: Any, **named: Any) -> Any:
    # A list may grow after the call, as that of a dense block does; what is computed again must see what was seen.
    inputs = tuple(list(value) if isinstance(value, list) else value for value in inputs)
    run = partial(type(block).forward, block)
    if not torch.is_grad_enabled():
        return run(*inputs, **named)
    if torch.compiler.is_compiling():
        return checkpoint(run, *inputs, use_reentrant=False, **named)
    contexts = partial(_contexts, block)
    return checkpoint(run, *inputs, use_reentrant=False, context_fn=contexts, **named)


def _contexts(block: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _without_statistics(block)


@contextmanager
def _without_statistics(block: nn.Module) -> Iterator[None]:
    """Batch norms do as before, but on copies: the same batch does not count twice in their running statistics."""
    norms = [module for module in block.modules() if isinstance(module, _NormBase)]
    kept = [dict(norm._buffers) for norm in norms]
    try:
        for norm in norms:
            norm._buffers.update({name: held.clone() for name, held in norm._buffers.items() if held is not None})
        yield
    finally:
        for norm, held in zip(norms, kept, strict=True):
            norm._buffers.update(held)
