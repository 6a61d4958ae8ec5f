"""The `predict:` section of a configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from phalanx.core.catalogue import Strict


class PredictConfig(Strict):
    """How stored logits are made.

    Args:
        batch_size: images a forward pass.
        flips: flips averaged over at test time: `none`, `horizontal`, `vertical`, or `both` (four views).
        dtype: of the stores; `int8` keeps 16 levels a unit, clipped at 8.
    """

    batch_size: int = Field(default=4, ge=1)
    flips: Literal["none", "horizontal", "vertical", "both"] = "none"
    dtype: Literal["int8", "float16"] = "int8"
