"""Layers that the decoders of ours share."""

from __future__ import annotations

from torch import nn


class ConvNormRelu(nn.Sequential):
    """A convolution that keeps the size, its norm, its activation."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )
