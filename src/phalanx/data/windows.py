"""Windows: parts of large images, which training is shown instead of the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from phalanx.core.catalogue import Strict, nearest
from phalanx.core.errors import ConfigError
from phalanx.core.geometry import Geometry

Share = Annotated[float, Field(ge=0, le=1)]


class Window(Strict):
    """Which part of an image a training sample shows; drawn anew for each.

    `views.train` then sees the window. What turns or shrinks it brings in black corners; take larger windows and end
    `views.train` with a `CenterCrop` where that matters. Images smaller than the window are mirrored at their edges.

    Args:
        size: `[height, width]` of the window, in pixels of the network's frame (`data.size`, or the image's own with
            `data.fit: native`).
        per_image: windows of each image in an epoch.
        balance: share of the windows that are laid over an object: a class is drawn, then a pixel of it. The others
            lie anywhere. Without, large windows of a hand hold its carpals in every second sample only.
        classes: how that class is drawn among those that the image has: `even`; `inverse_area`: small ones more often;
            or a weight for each, 1 where none is given.
        spread: how far from the window's centre that pixel may lie, 1: up to the window's edge.
        full: share of the samples that show the whole image, shrunk to the window, so that a network also knows what a
            hand looks like.
    """

    size: tuple[int, int]
    per_image: int = Field(default=1, ge=1)
    balance: Share = 0.5
    classes: Literal["even", "inverse_area"] | dict[str, Annotated[float, Field(ge=0)]] = "inverse_area"
    spread: Share = 0.5
    full: Share = 0.0

    @model_validator(mode="after")
    def _positive(self) -> Window:
        if min(self.size) < 1:
            raise ValueError(f"size must be two positive numbers, is {list(self.size)}")
        return self

    def check(self, names: Sequence[str]) -> None:
        """Refuse weights of classes that the data set has not.

        Raises:
            ConfigError: naming the nearest ones.
        """
        unknown = sorted(set(self.classes) - set(names)) if isinstance(self.classes, Mapping) else []
        if unknown:
            raise ConfigError("data.window.classes names no class", unknown[0], nearest(unknown[0], list(names)))


def corner(
    window: Window,
    geometry: Geometry,
    truth: Sequence[np.ndarray] | None,
    names: Sequence[str],
    rng: np.random.Generator,
) -> tuple[int, int]:
    """`(top, left)` of a window in the network's frame, within the picture where that is large enough.

    Args:
        window: the settings.
        geometry: of the image.
        truth: one run array a scored class at the original size, or None; nothing larger is looked at.
        names: of the scored classes.
        rng: what is drawn from.
    """
    room = [max(inner - side, 0) for inner, side in zip(geometry.inner, window.size, strict=True)]
    anywhere = [int(rng.integers(end + 1)) for end in room]
    laid, shifts = rng.random() < window.balance, rng.uniform(-1, 1, 2) * window.spread / 2
    weights = _weights(window, truth or (), names)
    if not laid or not weights.sum():
        return anywhere[0], anywhere[1]
    run = (truth or ())[int(rng.choice(len(weights), p=weights / weights.sum()))]
    centre = _shown(_pixel(run, rng), geometry)
    found = [
        min(max(round(middle + shift * side - side / 2), 0), end)
        for middle, shift, side, end in zip(centre, shifts, window.size, room, strict=True)
    ]
    return found[0], found[1]


def padded(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An array `(h, w, k)` that is at least as large as `size`, mirrored at its right and bottom edge."""
    lacking = [max(side - length, 0) for side, length in zip(size, array.shape, strict=False)]
    return np.pad(array, [(0, lacking[0]), (0, lacking[1]), (0, 0)], mode="reflect") if any(lacking) else array


def _weights(window: Window, truth: Iterable[np.ndarray], names: Sequence[str]) -> np.ndarray:
    """How often each class is drawn: float64 `(scored,)`; 0 for those that the image has not."""
    areas = np.array([np.diff(run).sum() if len(run) else 0 for run in truth], np.float64)
    present = areas > 0
    if isinstance(window.classes, Mapping):
        given = np.array([window.classes.get(name, 1.0) for name in names[: len(areas)]])
        return np.where(present, given, 0.0)
    return present / np.maximum(areas, 1) if window.classes == "inverse_area" else present.astype(np.float64)


def _pixel(run: np.ndarray, rng: np.random.Generator) -> int:
    """The index of a pixel of a mask, each as likely as any other."""
    ends = np.cumsum(run[:, 1] - run[:, 0])
    number = int(rng.integers(ends[-1]))
    interval = int(np.searchsorted(ends, number, side="right"))
    return int(run[interval, 1] - ends[interval] + number)


def _shown(index: int, geometry: Geometry) -> tuple[float, float]:
    """Where a pixel of the original lies in the network's frame: `(row, column)` of its middle."""
    row, column = divmod(index, geometry.original[1])
    scales = [inner / original for inner, original in zip(geometry.inner, geometry.original, strict=True)]
    down, along = (row + 0.5) * scales[0], (column + 0.5) * scales[1]
    return down, geometry.inner[1] - along if geometry.mirrored else along
