"""Networks of segmentation-models-pytorch behind the seam of `models/_base.py`.

Source: Iakubovskii, Segmentation Models Pytorch, https://github.com/qubvel-org/segmentation_models.pytorch (MIT).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from phalanx.core.errors import ConfigError, WeightsError
from phalanx.models._base import Decoded, Network
from phalanx.models._encoder import EncoderConfig


class SmpNetwork(Network):
    """An SMP model, split where its encoder ends."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def encode(self, x: Tensor) -> list[Tensor]:
        """Features of images `(b, k, h, w)`, fine to coarse; the first is the image itself."""
        return self.model.encoder(x)  # type: ignore[operator, no-any-return]

    def decode(self, features: list[Tensor]) -> Decoded:
        """Logits at the input's size, and the decoder's last feature."""
        embed = self.model.decoder(features)  # type: ignore[operator]
        return Decoded(self.model.segmentation_head(embed), embed)  # type: ignore[operator]

    def output_bias(self) -> Tensor:
        """Bias of the segmentation head's convolution, one value a channel."""
        return self.model.segmentation_head[0].bias  # type: ignore[index, union-attr, return-value]


def build(architecture: str, config: EncoderConfig, num_classes: int, **options: Any) -> SmpNetwork:
    """An SMP architecture (`Unet`, `UnetPlusPlus` ...) with the configured encoder and its weights.

    Raises:
        ConfigError: the encoder does not exist, or the decoder does not fit it.
        WeightsError: the pretrained weights cannot be had, or do not fit.
    """
    import segmentation_models_pytorch as smp

    _check_encoder(config.encoder)
    named = config.weights if config.weights is None or not _is_file(config.weights) else None
    arguments = {"encoder_name": config.encoder, "encoder_depth": config.depth, "in_channels": config.channels}
    try:
        model = getattr(smp, architecture)(**arguments, encoder_weights=None, classes=num_classes, **options)
    except (KeyError, ValueError, TypeError, RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"{architecture} cannot be built on encoder {config.encoder}",
            _line(error),
            "choose another encoder, depth or decoder_channels",
        ) from None
    if named is not None:
        model.encoder.load_state_dict(_fetch(architecture, arguments, named))
    elif config.weights is not None:
        _load_file(model.encoder, Path(config.weights))
    if config.norm != "batch":
        _replace_norms(model, config.norm)
    return SmpNetwork(model)


def _replace_norms(module: nn.Module, kind: str) -> None:
    """Put a norm that looks at one image alone in the place of every batch norm; its weights start afresh."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            groups = child.num_features if kind == "instance" else math.gcd(child.num_features, 16)
            setattr(module, name, nn.GroupNorm(groups, child.num_features, child.eps))
        else:
            _replace_norms(child, kind)


def _is_file(weights: str) -> bool:
    return "/" in weights or weights.endswith((".safetensors", ".pth", ".pt", ".bin"))


def _line(error: BaseException) -> str:
    """The first sentence of an error's text."""
    return " ".join(str(error).split()).partition(". ")[0][:200] or type(error).__name__


def _check_encoder(name: str) -> None:
    from segmentation_models_pytorch.encoders import get_encoder_names
    from timm import list_models

    from phalanx.core.catalogue import nearest

    known = [*get_encoder_names(), *(f"tu-{model}" for model in list_models())]
    if name.split(".")[0] not in known:
        raise ConfigError("no encoder has this name", name, nearest(name, known) if len(name) > 2 else "try resnet34")


def _fetch(architecture: str, arguments: dict[str, Any], weights: str) -> dict[str, Tensor]:
    """State of an encoder with the library's pretrained weights, downloaded or from its cache."""
    import segmentation_models_pytorch as smp

    name = arguments["encoder_name"]
    try:
        encoder = smp.encoders.get_encoder(
            name, in_channels=arguments["in_channels"], depth=arguments["encoder_depth"], weights=weights
        )
    except KeyError as error:
        raise WeightsError(f"encoder {name} has no weights of this name", weights, _line(error)) from None
    except Exception as error:
        # Hub clients raise a dozen unrelated classes when the network is away; to the user they are one case.
        raise WeightsError(
            f"the pretrained weights '{weights}' of encoder {name} cannot be fetched",
            _line(error),
            "connect this machine once, or copy the file here and pass model.weights=PATH, or train from scratch with "
            "model.weights=null",
        ) from None
    return encoder.state_dict()


def _load_file(encoder: nn.Module, path: Path) -> None:
    if not path.is_file():
        raise WeightsError("the weights file does not exist", path, "check model.weights")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsError(
            "the weights file cannot be read", f"{path} ({_line(error)})", "use .safetensors or a state dict"
        ) from None
    wanted = encoder.state_dict()
    missing = sorted(name for name, tensor in wanted.items() if name not in state or state[name].shape != tensor.shape)
    if missing:
        raise WeightsError(
            "the weights file does not fit the encoder",
            f"{path} lacks {len(missing)} of {len(wanted)} tensors or has them in another shape, first {missing[0]}",
            "use the weights of this very encoder, for as many image channels",
        )
    encoder.load_state_dict({name: state[name] for name in wanted})
