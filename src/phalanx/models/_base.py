"""Network: what every method may expect of a network.

    encode(x)        -> features, fine to coarse
    decode(features) -> Decoded(logits, embed, pyramid)
    forward(x)       =  decode(encode(x)).logits

The seam serves feature dropout, several decoders on one encoder, multi-scale heads and embeddings alike.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from phalanx.models import _recompute


@dataclass
class Decoded:
    """What a decoder returns.

    Args:
        logits: `(b, c, h, w)` at the input's size.
        embed: `(b, e, h, w)` last decoder feature, what the head sees.
        pyramid: coarser logits, already at the input's size, fine to coarse; empty when the network has one head, or
            does not train.
    """

    logits: Tensor
    embed: Tensor
    pyramid: tuple[Tensor, ...] = ()


class Network(nn.Module, ABC):
    """A segmentation network in two halves."""

    @abstractmethod
    def encode(self, x: Tensor) -> list[Tensor]:
        """Features of images `(b, k, h, w)`, fine to coarse."""

    @abstractmethod
    def decode(self, features: list[Tensor]) -> Decoded:
        """Logits and the embedding they were made of."""

    @abstractmethod
    def output_bias(self) -> Tensor:
        """The bias of the layer that makes the logits, one value a channel."""

    @abstractmethod
    def encoder_parameters(self) -> Iterator[Parameter]:
        """The parameters of the encoder, for a learning rate of their own and for freezing."""

    def auxiliary_biases(self) -> list[Tensor]:
        """The biases of the layers that make the logits of the pyramid; none: the network has one head."""
        return []

    @property
    def deeply_supervised(self) -> bool:
        """True: in training `decode` gives a pyramid, whose logits want a loss too."""
        return bool(self.auxiliary_biases())

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(b, c, h, w)` of images `(b, k, h, w)`."""
        return self.decode(self.encode(x)).logits

    def checkpoint_activations(self, on: bool) -> None:
        """Keep each block's input alone for the backward pass and compute the rest again: less memory, more time."""
        _recompute.switch(self, on)

    def start_at_prior(self, shares: Tensor, exclusive: bool) -> None:
        """Set the heads' biases so that the first prediction is each class's mean share of the pixels.

        Otherwise a network spends its first hundreds of steps on learning that most pixels are background.

        Args:
            shares: `(c,)` mean share of the pixels that each channel's class covers.
            exclusive: True: the shares sum to one under a softmax; False: each is a sigmoid's own.
        """
        shares = shares.double().clamp(1e-4, 1 - 1e-4)
        bias = shares.log() if exclusive else shares.log() - torch.log1p(-shares)
        with torch.no_grad():
            for head in (self.output_bias(), *self.auxiliary_biases()):
                head.copy_(bias.clamp(min=-math.log(1e4)))
