"""From annotations to a batch, and from logits to a score: one core, 29 bones, images of 2048 px.

The reference's way is re-written from its description: a data set that for every sample decodes the PNG, parses the
JSON, fills 29 polygons into a full (h, w, classes) array, lets Albumentations transform image and array at full size
and hands on float planes; and a Dice that enlarges all logits of a batch and compares whole float tensors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks import load
from benchmarks.claims import Claim, seconds
from phalanx.core.case import Case, Dataset
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.data.cache import Cache
from phalanx.data.loader import CaseDataset, collate
from phalanx.data.views import Views
from phalanx.datasets.phantom import Phantom
from phalanx.mask import polygon, runs
from phalanx.metrics import _counts
from phalanx.metrics.dice import Dice
from phalanx.submit import practice

_ORIGINAL, _NETWORK = 2048, 1024
_GEOMETRY = Geometry.fit((_ORIGINAL, _ORIGINAL), (_NETWORK, _NETWORK), keep_aspect=False)
_CLAHE = {"clip_limit": (2, 2), "p": 1.0}
_TURN = {"rotate": (-20, 20), "scale": (0.9, 1.1), "p": 1.0}


def masks(folder: Path, images: int) -> Iterator[Claim]:
    """Outlines of one image to masks; ours are runs, the form in which they are stored, scored and shrunk."""
    rings = load.outlines(0, _ORIGINAL)

    def reference() -> torch.Tensor:
        return torch.from_numpy(_filled(list(rings.values())).transpose(2, 0, 1)).float()

    def peer() -> np.ndarray:
        planes = np.zeros((len(rings), _ORIGINAL, _ORIGINAL), np.uint8)
        for plane, parts in zip(planes, rings.values(), strict=True):
            for ring in parts:
                cv2.fillPoly(plane, [ring.astype(np.int32)], 1)
        return planes

    def ours() -> list[np.ndarray]:
        return [polygon.to_runs(parts, (_ORIGINAL, _ORIGINAL), "opencv") for parts in rings.values()]

    with _one_core():
        mine = np.stack([runs.to_mask(run, (_ORIGINAL, _ORIGINAL)) for run in ours()])
        if not (np.array_equal(mine, reference().numpy()) and np.array_equal(mine, peer())):
            raise SystemExit("masks: the ways do not agree")
        yield Claim("masks_2048", seconds(ours, 15), seconds(reference, 3), seconds(peer, 5), (100, None))


def loader(folder: Path, images: int) -> Iterator[Claim]:
    """One training sample of 1024 px: files in, planes of 29 classes out; ours comes from the cache on disk."""
    dataset = Phantom(Phantom.Config(people=3, test_people=1, size=_ORIGINAL, root=folder / "phantom_2048")).read()
    cache = Cache(folder / "cache", dataset.labels, (_NETWORK, _NETWORK), False, 1, "opencv")
    for name, ours in (("", [("CLAHE", _CLAHE)]), ("_turned", [("CLAHE", _CLAHE), ("Affine", _TURN)])):
        views = Views([{"name": kind, **values} for kind, values in ours], (0.5,), (0.5,))
        cases = CaseDataset(dataset.train, cache, views, dataset.labels, seed=0)
        # A real set does not fit into the memory that a worker keeps: every sample is read again.
        cases.held.most = 0
        theirs = _Reference(dataset, ours)
        places = range(len(dataset.train))
        with _one_core():
            _compare(cases, theirs, dataset.labels, strict=not name)
            mine = seconds(partial(_all, partial(_sample, cases), places), 5) / len(places)
            other = seconds(partial(_all, theirs.__getitem__, places), 2) / len(places)
        yield Claim(f"loader_1024{name}", mine, other, None, (8, None))


def validation(folder: Path, images: int) -> Iterator[Claim]:
    """Dice of one image's 29 classes at 2048 px, from logits of 1024 px."""
    rings, large = load.outlines(0, _NETWORK), load.outlines(0, _ORIGINAL)
    labels = LabelSpace(tuple(rings))
    logits = practice.logits(rings, (_NETWORK, _NETWORK), (0, 0))
    truth = [polygon.to_runs(parts, (_ORIGINAL, _ORIGINAL), "opencv") for parts in large.values()]
    planes = torch.from_numpy(np.stack([runs.to_mask(run, (_ORIGINAL, _ORIGINAL)) for run in truth])).float()[None]
    score = Dice()

    def ours() -> np.ndarray:
        return score(_counts.of_logits(logits, _GEOMETRY, labels, truth)[None])[0]

    def reference() -> np.ndarray:
        whole = torch.nn.functional.interpolate(torch.from_numpy(logits)[None], (_ORIGINAL, _ORIGINAL), mode="bilinear")
        marked = (torch.sigmoid(whole) > 0.5).float()
        both = (marked * planes).flatten(2).sum(2)
        return ((2 * both + 1e-4) / (marked.flatten(2).sum(2) + planes.flatten(2).sum(2) + 1e-4))[0].numpy()

    with _one_core():
        apart = float(np.abs(ours() - reference()).max())
        if apart > 1e-6:
            raise SystemExit(f"validation: scores differ by {apart}")
        yield Claim("validation_2048", seconds(ours, 15), seconds(reference, 2), None, (20, None))


class _Reference:
    """The reference's data set: everything anew for every sample, at full size, in full arrays.

    Args:
        dataset: phantoms, in the layout of the competition.
        transforms: names and arguments in Albumentations.
    """

    def __init__(self, dataset: Dataset, transforms: list[tuple[str, dict[str, Any]]]) -> None:
        import albumentations

        self.cases, self.names = dataset.train, dataset.labels.names
        chosen = [getattr(albumentations, name)(**values) for name, values in transforms]
        resize = albumentations.Resize(_NETWORK, _NETWORK)
        normalise = albumentations.Normalize(mean=(0.5,) * 3, std=(0.5,) * 3)
        self.transform = albumentations.Compose([resize, *chosen, normalise])

    def __getitem__(self, place: int) -> tuple[torch.Tensor, torch.Tensor]:
        case = self.cases[place]
        image = cv2.imread(str(case.image))
        found = json.loads(_annotation(case).read_text(encoding="utf-8"))["annotations"]
        rings = {item["label"]: [np.array(item["points"])] for item in found}
        made = self.transform(image=image, mask=_filled([rings.get(name, []) for name in self.names]))
        planes = (np.ascontiguousarray(made[key].transpose(2, 0, 1)) for key in ("image", "mask"))
        shown, label = (torch.from_numpy(plane).float() for plane in planes)
        return shown, label


def _filled(rings: list[list[np.ndarray]]) -> np.ndarray:
    """uint8 `(h, w, classes)`: a full frame a class, filled, then copied into its channel."""
    label = np.zeros((_ORIGINAL, _ORIGINAL, len(rings)), np.uint8)
    for channel, parts in enumerate(rings):
        plane = np.zeros((_ORIGINAL, _ORIGINAL), np.uint8)
        for ring in parts:
            cv2.fillPoly(plane, [ring.astype(np.int32)], 1)
        label[..., channel] = plane
    return label


def _annotation(case: Case) -> Path:
    """The JSON beside the tree of images."""
    return case.image.parents[2] / "outputs_json" / case.image.parent.name / f"{case.image.stem}.json"


def _sample(cases: CaseDataset, place: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch of one, its labels unpacked as they are on the device."""
    batch = collate([cases[0, place]])
    return batch.x, cases.labels.unpack(batch.y)


def _all(work: Callable[[int], object], places: range) -> None:
    for place in places:
        work(place)


def _compare(cases: CaseDataset, theirs: _Reference, labels: LabelSpace, strict: bool) -> None:
    """Both show the same picture and masks, but for how borders are shrunk and for CLAHE in colour."""
    image, planes = _sample(cases, 0)
    shown, label = theirs[0]
    if image.shape[2:] != shown.shape[1:] or planes.shape[1:] != label.shape or len(labels) != len(label):
        raise SystemExit("loader: the ways do not agree in shape")
    if not strict:
        return  # what is drawn differs
    both = (planes[0] * label).sum((1, 2))
    dice = (2 * both / (planes[0].sum((1, 2)) + label.sum((1, 2)))).mean()
    apart = (image[0, 0] - shown[0]).abs().mean() / 2
    if dice < 0.98 or apart > 0.03:
        raise SystemExit(f"loader: masks have a Dice of {dice:.3f}, images differ by {apart:.3f} of the range")


@contextmanager
def _one_core() -> Iterator[None]:
    """OpenCV and PyTorch on one thread: a claim is per core."""
    before: tuple[int, int] = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before[0])
        torch.set_num_threads(before[1])
