"""Two levels: strict pixels decide whether there is anything, the loose cut draws it.

Source: the triplet threshold of the winners of SIIM-ACR Pneumothorax 2019 (`TripletMaskBinarization` in
`MaskBinarizers.py`, https://github.com/sneddy/pneumothorax-segmentation): the loose cut of a picture counts only if
enough pixels pass the strict one. Their search gave 0.75, 2000 px, 0.3.
Differs: scope `object` asks the question of each connected object, which is the hysteresis of Canny 1986,
doi:10.1109/TPAMI.1986.4767851, with an area.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from phalanx.core.catalogue import Strict
from phalanx.mask import components
from phalanx.mask import runs as run_lengths
from phalanx.steps._base import Cut


class TwoLevel(Cut):
    """The loose mask, or those of its objects, with at least `area` pixels above the strict level."""

    class Config(Strict):
        """Levels and the evidence that is asked for.

        Args:
            strict: probability in (0, 1).
            loose: probability in (0, 1), at most `strict`.
            area: pixels above the strict level that are needed, at least 1; they grow with the square of the picture.
            scope: `mask`: the whole mask stays or is emptied; `object`: each connected object for itself.
            connectivity: of objects; 4: by their sides; 8: by their corners too. Without meaning for `mask`.
        """

        name: Literal["two_level"] = "two_level"
        strict: float = Field(default=0.75, gt=0, lt=1)
        loose: float = Field(default=0.3, gt=0, lt=1)
        area: int = Field(ge=1)
        scope: Literal["mask", "object"] = "mask"
        connectivity: Literal[4, 8] = 8

        @model_validator(mode="after")
        def _in_order(self) -> Self:
            if self.loose > self.strict:
                raise ValueError(f"loose is above strict: {self.loose} > {self.strict}. Swap them")
            return self

    config: Config

    @property
    def levels(self) -> tuple[float, ...]:
        """Loose, strict."""
        return (self.config.loose, self.config.strict)

    def __call__(self, masks: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
        """The loose mask where the strict one supports it."""
        loose, strict = masks
        if run_lengths.area(strict) < self.config.area:
            return run_lengths.empty()
        if self.config.scope == "mask":
            return loose
        return self._supported(loose, strict, size)

    def _supported(self, loose: np.ndarray, strict: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The objects of the loose mask that hold enough strict pixels."""
        parts = components.split(loose, size, self.config.connectivity)
        if not parts:
            return loose
        pieces = np.concatenate(parts)
        owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        order = np.argsort(pieces[:, 0])
        pieces, owner = pieces[order], owner[order]
        seen = run_lengths.intersect(pieces, strict)
        within = owner[np.searchsorted(pieces[:, 0], seen[:, 0], "right") - 1]
        counts = np.bincount(within, seen[:, 1] - seen[:, 0], len(parts))
        return run_lengths.union([pieces[counts[owner] >= self.config.area]])
