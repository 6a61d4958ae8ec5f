"""Mixing: parts of one image of a batch put into another one, whole images blended.

Works on the arrays of a batch as the loader sends them: images float32 `(b, k, h, w)`, labels uint8, either packed
`(b, planes, h, w)` or class indices `(b, h, w)` (`LabelSpace.packed_target`). A label belongs to its pixel: wherever a
pixel is put, all labels of its source go with it and those of the covered pixel are gone, so that occlusion comes out
right in overlapping and in exclusive label spaces alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from pydantic import Field, model_validator

from phalanx.core.catalogue import Strict

Share = Annotated[float, Field(ge=0, le=1)]


class CopyPaste(Strict):
    """Objects of another image of the batch, pasted with their pixels and labels.

    An object is a connected part of a class.

    Source: Ghiasi et al. 2021, https://arxiv.org/abs/2012.07177, section 3.
    Differs: the source comes from the same batch; objects may be shifted; edges are not blended (the paper found no
    gain); the jitter of both images is left to `views.train`.

    Args:
        p: share of the images that get objects.
        objects: fewest and most objects that an image gets.
        shift: how far an object may be moved, as a share of the image's sides.
        classes: whose objects are pasted; those of all classes when empty.
    """

    p: Share = 0.5
    objects: tuple[int, int] = (1, 3)
    shift: Share = 0.1
    classes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _rising(self) -> CopyPaste:
        if not 1 <= self.objects[0] <= self.objects[1]:
            raise ValueError(f"objects must be two rising numbers from 1 on, is {list(self.objects)}")
        return self


class CutMix(Strict):
    """A box of another image of the batch, with its labels.

    Source: Yun et al. 2019, https://arxiv.org/abs/1905.04899, section 3.1.
    Differs: labels are pixels and follow the box, so none are blended; every image draws a box of its own.

    Args:
        p: share of the images that get a box.
        alpha: the share of the image that stays is drawn from Beta(alpha, alpha); 1: evenly.
    """

    p: Share = 0.5
    alpha: float = Field(default=1.0, gt=0)


class MixUp(Strict):
    """Images blended in pairs; the losses against both sets of labels are weighted alike.

    Source: Zhang et al. 2018, https://arxiv.org/abs/1710.09412, section 2.
    Differs: losses instead of labels are blended, which is the same for cross-entropy and lets every other loss see
    labels of zeros and ones; an image is never paired with itself.

    Args:
        p: share of the batches that are blended.
        alpha: the weight of the first image is drawn from Beta(alpha, alpha), one for the whole batch.
    """

    p: Share = 0.5
    alpha: float = Field(default=0.4, gt=0)


@dataclass(frozen=True)
class Patch:
    """Pixels on their way from one image into another.

    Args:
        image: number of the image they go to.
        place: rows and columns there.
        mask: boolean `(h, w)`, which pixels of the place are replaced; None: all.
        pixels: `(k, h, w)`.
        labels: `(planes, h, w)`.
    """

    image: int
    place: tuple[slice, slice]
    mask: np.ndarray | None
    pixels: np.ndarray
    labels: np.ndarray


def paste(x: np.ndarray, y: np.ndarray, config: CopyPaste, channels: Sequence[int], rng: np.random.Generator) -> None:
    """Copy-paste in place.

    Args:
        x: images.
        y: labels.
        config: the settings.
        channels: classes whose objects are pasted: numbers of bits in packed labels, class indices otherwise.
        rng: what is drawn from.
    """
    planes = _planes(y)
    partners = _partners(len(x), rng)
    chosen = np.flatnonzero(rng.random(len(x)) < config.p)
    patches = [
        patch
        for image in chosen
        for patch in _objects(
            int(image), (x[partners[image]], planes[partners[image]]), y.ndim == 4, config, (channels, rng)
        )
    ]
    _apply(x, planes, patches)


def cut(x: np.ndarray, y: np.ndarray, config: CutMix, rng: np.random.Generator) -> None:
    """CutMix in place; see `paste`."""
    planes = _planes(y)
    partners = _partners(len(x), rng)
    patches = []
    for image in np.flatnonzero(rng.random(len(x)) < config.p):
        place = box((x.shape[2], x.shape[3]), 1 - float(rng.beta(config.alpha, config.alpha)), rng)
        source = partners[image]
        patches.append(Patch(int(image), place, None, x[source][:, *place].copy(), planes[source][:, *place].copy()))
    _apply(x, planes, patches)


def blend(x: np.ndarray, y: np.ndarray, config: MixUp, rng: np.random.Generator) -> tuple[np.ndarray | None, float]:
    """MixUp: images in place.

    Returns:
        Labels of the images that were blended in, None when none were, and the weight of the first ones.
    """
    partners = _partners(len(x), rng)
    share = float(rng.beta(config.alpha, config.alpha))
    if rng.random() >= config.p:
        return None, 1.0
    x[:] = np.float32(share) * x + np.float32(1 - share) * x[partners]
    return y[partners], share


def box(size: tuple[int, int], share: float, rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a box of `share` of an image, its centre anywhere; what leaves the image is cut off."""
    found = []
    for side in size:
        length, middle = round(side * share**0.5), int(rng.integers(side))
        start = middle - length // 2
        found.append(slice(max(start, 0), max(min(start + length, side), 0)))
    return found[0], found[1]


def scaled(size: tuple[int, int], limits: tuple[float, float], rng: np.random.Generator) -> tuple[int, int]:
    """A batch's size times a factor drawn evenly between the limits, sides rounded to multiples of 32."""
    factor = rng.uniform(*limits)
    height, width = (max(32, round(side * factor / 32) * 32) for side in size)
    return height, width


def _objects(
    image: int,
    source: tuple[np.ndarray, np.ndarray],
    packed: bool,
    config: CopyPaste,
    drawn: tuple[Sequence[int], np.random.Generator],
) -> Iterator[Patch]:
    """Objects of a source (pixels, planes of labels), each moved, for one image."""
    (pixels, planes), (channels, rng) = source, drawn
    count = int(rng.integers(config.objects[0], config.objects[1] + 1))
    present = _present(planes, channels, packed)
    parts: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    taken = set()
    for _ in range(count if present else 0):
        channel = present[int(rng.integers(len(present)))]
        if channel not in parts:
            mask = (planes[channel // 8] >> channel % 8) & 1 if packed else (planes[0] == channel).astype(np.uint8)
            _, numbers, boxes, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(mask), connectivity=8)
            parts[channel] = numbers, boxes
        numbers, boxes = parts[channel]
        number = int(rng.integers(1, len(boxes)))
        moves = [round(side * float(rng.uniform(-config.shift, config.shift))) for side in numbers.shape]
        if (channel, number) in taken:
            continue
        taken.add((channel, number))
        left, top, width, height = (int(value) for value in boxes[number, :4])
        found = [
            _moved(*span, move, side)
            for span, move, side in zip(((top, height), (left, width)), moves, numbers.shape, strict=True)
        ]
        (rows, from_rows), (columns, from_columns) = found
        mask = numbers[from_rows, from_columns] == number
        cuts = pixels[:, from_rows, from_columns].copy(), planes[:, from_rows, from_columns].copy()
        yield Patch(image, (rows, columns), mask, *cuts)


def _moved(start: int, length: int, move: int, side: int) -> tuple[slice, slice]:
    """Where an interval lies after a move, cut at the ends of the axis, and where that part of it was."""
    first, end = max(start + move, 0), min(start + length + move, side)
    end = max(first, end)
    return slice(first, end), slice(first - move, end - move)


def _present(planes: np.ndarray, channels: Sequence[int], packed: bool) -> list[int]:
    """Those of the classes that an image has pixels of."""
    if packed:
        some = np.bitwise_or.reduce(planes.reshape(len(planes), -1), axis=1)
        return [channel for channel in channels if some[channel // 8] >> channel % 8 & 1]
    counts = np.bincount(planes.ravel(), minlength=max(channels) + 1)
    return [channel for channel in channels if counts[channel]]


def _apply(x: np.ndarray, planes: np.ndarray, patches: Sequence[Patch]) -> None:
    """Put patches into their images; all were cut out before, so that no image receives what another just got."""
    for patch in patches:
        where = True if patch.mask is None else patch.mask
        np.copyto(x[patch.image][:, *patch.place], patch.pixels, where=where)
        np.copyto(planes[patch.image][:, *patch.place], patch.labels, where=where)


def _planes(y: np.ndarray) -> np.ndarray:
    """Labels as a view `(b, planes, h, w)`."""
    return y if y.ndim == 4 else y[:, None]


def _partners(count: int, rng: np.random.Generator) -> np.ndarray:
    """Another image for each image of a batch: the one `n` places on, `n` the same for all."""
    step = int(rng.integers(1, count)) if count > 1 else 0
    return (np.arange(count) + step) % count
