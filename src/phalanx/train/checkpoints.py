"""Checkpoints: written whole or not at all, read without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from safetensors.torch import load_file, save_file
from torch import nn

from phalanx.core import files
from phalanx.core.errors import RunError


class WholeFiles(TorchCheckpointIO):
    """Lightning's checkpoint files, each renamed into place in its own folder.

    Lightning writes to the system's temporary folder and moves, which is a copy when that is another disk; a kill
    during the copy leaves half a file under the final name.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write `checkpoint` beside `path`, flush it to the disk, then give it its name."""
        with files.whole(Path(path)) as temporary, temporary.open("wb") as file:
            torch.save(checkpoint, file)


def save_weights(module: nn.Module, path: Path) -> None:
    """Write a module's parameters and buffers as safetensors."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    with files.whole(path) as temporary:
        # Safetensors makes files that their owner alone may read; a run belongs to all who may read its other files.
        temporary.touch()
        usual = temporary.stat().st_mode
        save_file(state, temporary)
        temporary.chmod(usual)


def load_weights(module: nn.Module, path: Path) -> None:
    """Read what `save_weights` wrote.

    Raises:
        RunError: the file is missing, damaged, or belongs to another network.
    """
    try:
        module.load_state_dict(load_file(path))
    except Exception as error:
        line = " ".join(str(error).split())[:160]
        raise RunError(
            "the weights of a fold cannot be read", f"{path} ({line})", "delete this fold to train it again"
        ) from None


def resumable(path: Path, module: nn.Module) -> dict[str, Any]:
    """What a checkpoint of training holds, when `module` can go on from it.

    Raises:
        RunError: it is damaged, or belongs to another network.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        held, wanted = (_shapes(tensors) for tensors in (state["state_dict"], module.state_dict()))
        odd = sorted({name for name, _ in held.items() ^ wanted.items()})
        if odd:
            raise ValueError(f"{len(odd)} tensors are not the network's, first {odd[0]}")
    except Exception as error:
        line = " ".join(str(error).split())[:160]
        raise RunError(
            "the training of a fold cannot go on", f"{path} ({line})", "delete this fold to train it again"
        ) from None
    return state


def _shapes(state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Of the weights of a method; what else a training keeps beside them is its own affair."""
    return {name: tuple(tensor.shape) for name, tensor in state.items() if name.startswith("method.")}
