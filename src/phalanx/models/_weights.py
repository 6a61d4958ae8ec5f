"""Pretrained weights of an encoder: from a hub by name, or from a file, every tensor accounted for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from phalanx.core.catalogue import nearest
from phalanx.core.errors import WeightsError

# What classifiers carry on top of the features, in the names of timm, torchvision and SMP.
_HEADS = re.compile(
    r"^(model\.)?(_?fc|head|heads|head_dist|classifier|last_linear|fc_norm|conv_head|_conv_head|_bn1)\b"
)
# Where training programs put the weights among other things.
_INSIDE = ("state_dict", "model_state_dict", "model", "network")


def is_file(weights: str) -> bool:
    """True for a path, False for the name of weights on a hub."""
    return "/" in weights or weights.endswith((".safetensors", ".pth", ".pt", ".bin", ".ckpt"))


def first_line(error: BaseException) -> str:
    """The first sentence of an error's text."""
    return " ".join(str(error).split()).partition(". ")[0][:200].rstrip(".") or type(error).__name__


def hub_name(encoder: str, weights: str) -> str:
    """The name under which timm's hub knows an encoder `tu-...` with weights of this name (`imagenet`: its default).

    Raises:
        WeightsError: the hub has no such weights.
    """
    import timm

    architecture, _, tag = encoder.removeprefix("tu-").partition(".")
    tag = tag if weights == "imagenet" else weights
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{architecture}.*")]
    if not tags:
        raise WeightsError(
            f"timm has no weights for encoder {encoder}", weights, "pass model.weights=PATH, or null: from scratch"
        )
    if tag and tag not in tags:
        raise WeightsError(f"encoder {encoder} has no weights of this name", tag, nearest(tag, ["imagenet", *tags]))
    return f"tu-{architecture}.{tag}" if tag else f"tu-{architecture}"


def fetched(encoder: str, weights: str, make: Any) -> dict[str, Tensor]:
    """State of an encoder with the library's pretrained weights, downloaded or from its cache.

    Args:
        encoder: its name, for errors.
        weights: their name, for errors.
        make: builds the encoder with the weights in it.

    Raises:
        WeightsError: there are none of this name, or they cannot be downloaded.
    """
    try:
        state = make().state_dict()
    except KeyError as error:
        raise WeightsError(f"encoder {encoder} has no weights of this name", weights, first_line(error)) from None
    except Exception as error:
        # Hub clients raise a dozen unrelated classes when the network is away; to the user they are one case.
        raise WeightsError(
            f"the pretrained weights '{weights}' of encoder {encoder} cannot be fetched",
            first_line(error),
            "connect this machine once, or copy the file here and pass model.weights=PATH, or train from scratch with "
            "model.weights=null",
        ) from None
    return state


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file; of a training checkpoint those of the model in it.

    Raises:
        WeightsError: the file is missing, damaged, or holds other things than tensors.
    """
    if not path.is_file():
        raise WeightsError("the weights file does not exist", path, "check model.weights")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        inner = [state[name] for name in _INSIDE if isinstance(state.get(name), Mapping)]
        state = dict(inner[0] if inner else state)
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        if not tensors:
            raise ValueError("it holds no tensors")
    except Exception as error:
        raise WeightsError(
            "the weights file cannot be read", f"{path} ({first_line(error)})", "use .safetensors or a state dict"
        ) from None
    return tensors


def within(name: str, modules: Sequence[str]) -> bool:
    """Whether a tensor belongs to one of the modules."""
    return name.startswith(tuple(f"{module}." for module in modules))


def place(
    encoder: nn.Module,
    state: Mapping[str, Tensor],
    channels: int,
    *,
    name: str,
    path: Path,
    idle: Sequence[str] = (),
) -> None:
    """Load a file's tensors into an encoder, all of them.

    The names may stand behind a prefix (`encoder.`, `model.encoder.`, `module.` ...), and be those of timm's whole
    classifier. What belongs to a classification head, or stands outside the prefix, is left out.

    Args:
        encoder: changed in place.
        state: the file's tensors.
        channels: image channels of the encoder; the first layer is adapted to them.
        name: of the encoder.
        path: of the file, for errors.
        idle: modules that were taken out of the encoder; their tensors may be in the file or not.

    Raises:
        WeightsError: tensors are missing, of another shape, or unknown to the encoder.
    """
    wanted = {key: value for key, value in encoder.state_dict().items() if not key.endswith("num_batches_tracked")}
    prefix, found = _names(wanted, state, path)
    chosen = {key: state[seen] for key, seen in found.items()}
    first = first_layer(encoder, channels)
    if first in chosen:
        chosen[first] = adapted(chosen[first], channels)
    used = set(found.values())
    left = [key.removeprefix(prefix) for key in state if key.startswith(prefix) and key not in used]
    left = [key for key in left if not (key.endswith("num_batches_tracked") or _HEADS.match(key) or within(key, idle))]
    faults = list(_faults(wanted, chosen, _unknown(left, name)))
    if faults:
        raise WeightsError(
            "the weights file does not fit the encoder",
            f"{path} {'; '.join(faults)}",
            f"use weights of the very encoder {name}",
        )
    encoder.load_state_dict({**encoder.state_dict(), **chosen})


def first_layer(encoder: nn.Module, channels: int) -> str:
    """The name of the weight that sees the image: of the first convolution with as many inputs."""
    for name, module in encoder.named_modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == channels:
            return f"{name}.weight"
    return ""


def adapted(weight: Tensor, channels: int) -> Tensor:
    """A first layer `(o, 1 or 3, h, w)` for images of 1 or 3 channels, as timm does it.

    A colour layer looks at grey images with the sum of its kernels; a grey layer at colour images with a third of its
    kernel on each channel. On a grey image, repeated or not, all answer alike.
    """
    if weight.ndim == 4 and (weight.shape[1], channels) == (3, 1):
        return weight.float().sum(1, keepdim=True)
    if weight.ndim == 4 and (weight.shape[1], channels) == (1, 3):
        return weight.float().repeat(1, 3, 1, 1) / 3
    return weight


def _names(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], path: Path) -> tuple[str, dict[str, str]]:
    """The prefix in the file, and name in the encoder -> name in the file, of the reading that finds the most."""
    readings: dict[tuple[str, ...], tuple[str, dict[str, str]]] = {}
    for prefix, spelt in _readings(wanted, state):
        found = {key: prefix + spelt[key] for key in wanted if prefix + spelt[key] in state}
        readings.setdefault(tuple(sorted(found.values())), (prefix, found))
    ranked = sorted(readings.values(), key=lambda reading: len(reading[1]), reverse=True)
    if not ranked or not ranked[0][1]:
        return "", {}
    best = [prefix for prefix, found in ranked if len(found) == len(ranked[0][1])]
    if len(best) > 1:
        raise WeightsError(
            "the weights file holds several encoders of this kind",
            f"{path}: {', '.join(best)}",
            "write the weights of one of them into a file",
        )
    return ranked[0]


def _readings(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> Iterator[tuple[str, dict[str, str]]]:
    """Every (prefix, name in the encoder -> name behind the prefix) that the file's names allow for."""
    names = list(wanted)
    spellings = [{name: name for name in names}]
    if all(name.startswith("model.") for name in names):
        spellings += [{name: name.removeprefix("model.") for name in names}]
        spellings += [{name: _spelt_plainly(name) for name in names}]
    anchors = {names[0], names[len(names) // 2], names[-1]}
    for spelt in spellings:
        ends = [spelt[name] for name in anchors]
        prefixes = {key.removesuffix(end) for key in state for end in ends if key.endswith(end)}
        yield from ((prefix, spelt) for prefix in sorted(prefixes) if not prefix or prefix.endswith("."))


def _unknown(left: list[str], name: str) -> list[str]:
    """Of the names that the encoder did not take, those that its whole classifier would not take either."""
    if not left or not name.startswith("tu-"):
        return left
    import timm

    with torch.device("meta"):
        whole = timm.create_model(name.removeprefix("tu-").partition(".")[0]).state_dict()
    known = {_spelt_plainly(key) for key in whole}
    return [key for key in left if _spelt_plainly(key) not in known]


def _spelt_plainly(name: str) -> str:
    """A name of timm's feature extractors, `model.stages_0.x`, as its classifiers have it, `stages.0.x`."""
    return re.sub(r"^(\w+?)_(\d+)\.", r"\1.\2.", name.removeprefix("model."))


def _faults(wanted: Mapping[str, Tensor], chosen: Mapping[str, Tensor], unknown: list[str]) -> Iterator[str]:
    missing = sorted(wanted.keys() - chosen.keys())
    if missing:
        yield f"lacks {len(missing)} of {len(wanted)} tensors, first {missing[0]}"
    other = sorted(key for key in chosen if chosen[key].shape != wanted[key].shape)
    if other:
        seen, asked = tuple(chosen[other[0]].shape), tuple(wanted[other[0]].shape)
        yield f"has {len(other)} tensors in another shape, first {other[0]}, {seen} instead of {asked}"
    if unknown:
        yield f"has {len(unknown)} tensors that the encoder has not, first {unknown[0]}"
