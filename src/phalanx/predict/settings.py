"""The `predict:` section of a configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from phalanx.core.catalogue import Strict


class Window(Strict):
    """Large images are predicted in overlapping windows, whose logits are blended.

    Args:
        size: `[height, width]` of a window in pixels of the network's frame. Smaller images are mirrored at their
            edges.
        stride: `[down, along]` from one window to the next, at most the size; half the size when left out. The last
            window of a row or column ends with the image.
        blend: `gaussian`: a window counts less towards its edges, where the network sees less; `uniform`: all alike.
    """

    size: tuple[int, int]
    stride: tuple[int, int] | None = None
    blend: Literal["gaussian", "uniform"] = "gaussian"

    @model_validator(mode="after")
    def _overlapping(self) -> Window:
        if min(self.size) < 1:
            raise ValueError(f"size must be two positive numbers, is {list(self.size)}")
        if any(not 1 <= step <= side for step, side in zip(self.steps, self.size, strict=True)):
            raise ValueError(f"stride must lie between 1 and size {list(self.size)}, is {list(self.steps)}")
        return self

    @property
    def steps(self) -> tuple[int, int]:
        """The stride."""
        return self.stride or (-(-self.size[0] // 2), -(-self.size[1] // 2))


class PredictConfig(Strict):
    """How stored logits are made.

    Args:
        batch_size: images a forward pass, or windows of one image.
        window: predict in overlapping windows; whole images when left out.
        flips: flips averaged over at test time: `none`, `horizontal`, `vertical`, or `both` (four views).
        scales: factors of size averaged over at test time, each with all flips; windows are scaled one by one.
        dtype: of the stores; `int8` keeps 16 levels a unit, clipped at 8.
    """

    batch_size: int = Field(default=4, ge=1)
    window: Window | None = None
    flips: Literal["none", "horizontal", "vertical", "both"] = "none"
    scales: tuple[Annotated[float, Field(ge=0.1, le=8)], ...] = Field(default=(1.0,), min_length=1)
    dtype: Literal["int8", "float16"] = "int8"
