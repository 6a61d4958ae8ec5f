"""The soft ensemble of one image, and the search of thresholds: logits in memory, text or scores out."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks import load
from benchmarks.claims import Claim, once, seconds
from phalanx.core import parallel
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.ensemble import band
from phalanx.ensemble.soft import Blend
from phalanx.mask import dialect, pile, polygon, runs
from phalanx.metrics.dice import Dice
from phalanx.store.predictions import quantise, restore
from phalanx.submit import practice

_NETWORK, _ORIGINAL, _MEMBERS = 1024, 2048, 5
_GEOMETRY = Geometry.fit((_ORIGINAL, _ORIGINAL), (_NETWORK, _NETWORK), keep_aspect=False)
_THRESHOLDS = np.arange(1, 100) / 100
# Of the 29 classes, how many the naive search of thresholds is timed on.
_SLICE = 3


class _Held:
    """A member whose planes are in memory."""

    def __init__(self, name: str, planes: np.ndarray, labels: LabelSpace) -> None:
        self.name = self.digest = name
        self.labels, self.cases = labels, ["hand"]
        self.planes, self.geometry = planes, _GEOMETRY

    def open(self, case: str) -> _Held:
        return self

    def plane(self, channel: int) -> np.ndarray:
        return self.planes[channel]


def _made(kind: str) -> tuple[dict[str, list[np.ndarray]], list[np.ndarray]]:
    rings = load.outlines(0, _NETWORK)
    stacks = [practice.logits(rings, (_NETWORK, _NETWORK), (member, 0)) for member in range(_MEMBERS)]
    return rings, [quantise(stack) for stack in stacks] if kind == "int8" else stacks


def _blend(rings: dict[str, list[np.ndarray]], stacks: Sequence[np.ndarray]) -> Blend:
    labels = LabelSpace(tuple(rings))
    members = tuple(_Held(str(place), stack, labels) for place, stack in enumerate(stacks))
    return Blend(members, labels, ((Fraction(1),) * len(members),))


def soft(folder: Path, images: int) -> Iterator[Claim]:
    """Five members of 29 x 1024 x 1024 to the text of 29 masks at 2048 px, and the memory that takes."""
    for kind in ("float32", "int8"):
        rings, stacks = _made(kind)
        blend = _blend(rings, stacks)
        floats = [restore(stack) if kind == "int8" else stack for stack in stacks]
        ours = seconds(lambda blend=blend: _ours(blend), 7)
        found, peer, reference = _ours(blend), _peer(floats), _reference(floats)
        off = [
            sum(_apart(mine, other) for mine, other in zip(found, others, strict=True)) for others in (peer, reference)
        ]
        # Sums of five members round differently; a pixel whose mean is 0 but for that may fall on either side.
        if max(off) > 20:
            raise SystemExit(f"soft {kind}: masks differ by {off} pixels")
        yield Claim(
            f"soft_5_{kind}", ours, once(lambda floats=floats: _reference(floats)),
            seconds(lambda floats=floats: _peer(floats), 3), (30, 3),
        )  # fmt: skip
        tracemalloc.start()
        _ours(blend)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        yield Claim(f"soft_5_{kind}_extra_MB_against_150", peak, 150, None, (1, None))


def _ours(blend: Blend) -> list[str]:
    scene = blend.open("hand")
    halves = [0.5]
    found = parallel.ordered(lambda label: scene.cut(label, halves)[0], range(len(blend.labels)))
    return _texts(list(found))


def _texts(masks: list[np.ndarray]) -> list[str]:
    text, ends = pile.write(pile.of(masks), dialect.named("handbone"))
    whole, bounds = text.tobytes().decode(), ends.tolist()
    return [whole[start:stop] for start, stop in pairwise(bounds)]


def _peer(stacks: Sequence[np.ndarray]) -> list[str]:
    """The best of PyTorch and OpenCV: a sum in place, one class at a time, cv2.resize, its sign, our fast text."""
    total, masks = np.empty((_NETWORK, _NETWORK), np.float32), []
    for label in range(len(stacks[0])):
        np.copyto(total, stacks[0][label])
        for stack in stacks[1:]:
            total += stack[label]
        large = cv2.resize(total, (_ORIGINAL, _ORIGINAL), interpolation=cv2.INTER_LINEAR)
        masks.append(runs.from_mask(large > 0))
    return _texts(masks)


def _reference(stacks: Sequence[np.ndarray]) -> list[str]:
    """The notebook: mean at the network's size, all classes enlarged, sigmoid, 0.5, text by NumPy."""
    mean = torch.from_numpy(np.mean(stacks, 0))[None]
    large = torch.nn.functional.interpolate(mean, (_ORIGINAL, _ORIGINAL), mode="bilinear")
    masks = (torch.sigmoid(large) > 0.5)[0].numpy()
    texts = []
    for mask in masks:
        pixels = np.concatenate([[0], mask.ravel(), [0]])
        bounds = np.where(pixels[1:] != pixels[:-1])[0] + 1
        bounds[1::2] -= bounds[::2]
        texts.append(" ".join(str(number) for number in bounds))
    return texts


def _apart(a: str, b: str) -> int:
    """Pixels in one mask only."""
    masks = [np.fromstring(text, np.int64, sep=" ").reshape(-1, 2) for text in (a, b)]
    spans = [np.stack([mask[:, 0], mask[:, 0] + mask[:, 1]], 1) for mask in masks]
    return sum(runs.area(span) for span in spans) - 2 * runs.overlap(*spans)


def thresholds(folder: Path, images: int) -> Iterator[Claim]:
    """Dice of 29 classes at 99 thresholds, one image, five members: logits in memory, scores out."""
    rings, stacks = _made("int8")
    large = {name: [ring * (_ORIGINAL / _NETWORK) for ring in found] for name, found in rings.items()}
    truth = [polygon.to_runs(found, (_ORIGINAL, _ORIGINAL), "opencv") for found in large.values()]

    def ours(labels: int) -> np.ndarray:
        some = dict(list(rings.items())[:labels])
        made = band.build(_blend(some, stacks).members, {"hand": truth[:labels]}, limit=0.99)
        counts = [made.counts(label, [1] * _MEMBERS) for label in range(labels)]
        return Dice()(np.stack(counts)[:, 0])

    def naive(labels: int) -> np.ndarray:
        scores = []
        for label in range(labels):
            mean = np.mean([restore(stack[label]) for stack in stacks], 0)
            whole = 1 / (1 + np.exp(-_GEOMETRY.restore(mean)))
            true = runs.to_mask(truth[label], (_ORIGINAL, _ORIGINAL))
            masks = (whole > threshold for threshold in _THRESHOLDS)
            scores.append([(2 * (mask & true).sum() + 1e-4) / (mask.sum() + true.sum() + 1e-4) for mask in masks])
        return np.array(scores)

    # The band keeps whole numbers, a logit is off by up to 1/4096.
    apart = float(np.abs(ours(_SLICE) - naive(_SLICE)).max())
    if apart > 1e-3:
        raise SystemExit(f"thresholds: scores differ by {apart}")
    slow = once(lambda: naive(_SLICE)) * len(truth) / _SLICE
    yield Claim("thresholds_99", seconds(lambda: ours(len(truth)), 5), slow, None, (40, None))
