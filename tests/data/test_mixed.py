"""Mixed batches: the same for any number of workers and after a resume; what is asked for is done."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from phalanx.core.case import Case, Runs
from phalanx.core.errors import ConfigError
from phalanx.core.labels import LabelSpace
from phalanx.data.cache import Cache
from phalanx.data.loader import CaseDataset, loader
from phalanx.data.mixed import MixedCases
from phalanx.data.settings import ViewsConfig
from phalanx.data.views import Views

NAMES = tuple(map(str, range(9)))
ALL = {"copy_paste": {"p": 0.7}, "cutmix": {"p": 0.5}, "mixup": {"p": 0.5}, "multi_scale": [0.5, 1.5]}


def mixed(tmp_path: Path, views: dict, labels: LabelSpace) -> MixedCases:
    cases = []
    for index in range(7):
        image = np.random.default_rng(index).integers(0, 255, (64, 96), np.uint8)
        cv2.imwrite(str(tmp_path / f"{index}.png"), image)
        rows = {name: np.array([[96 * 6 * k + index, 96 * 6 * k + 90 + index]]) for k, name in enumerate(NAMES)}
        cases.append(Case(str(index), tmp_path / f"{index}.png", Runs(rows, (64, 96))))
    flips = Views([{"name": "HorizontalFlip", "p": 0.5}], (0.5,), (0.5,))
    data = CaseDataset(cases, Cache(tmp_path / "cache", labels, (64, 96), False, 1, "opencv"), flips, labels, seed=5)
    return MixedCases(data, ViewsConfig.model_validate(views), labels)


def epoch(data: MixedCases, number: int, workers: int = 0):
    batches = loader(data, 3, workers=workers, shuffle=True)
    batches.sampler.set_epoch(number)
    return list(batches)


def same(first, second) -> bool:
    tensors = zip((first.x, first.y, first.other), (second.x, second.y, second.other), strict=True)
    alike = [(a is None and b is None) or (a is not None and b is not None and torch.equal(a, b)) for a, b in tensors]
    return all(alike) and first.ids == second.ids and first.share == second.share


@pytest.mark.parametrize("exclusive", [False, True])
def test_workers_and_resumes_change_nothing(tmp_path: Path, exclusive: bool) -> None:
    labels = LabelSpace(("background", *NAMES) if exclusive else NAMES, exclusive)
    data = mixed(tmp_path, ALL, labels)
    unbroken = [epoch(data, number) for number in range(4)]
    for number, workers in ((2, 2), (3, 0)):
        again = epoch(mixed(tmp_path, ALL, labels), number, workers)
        assert all(same(a, b) for a, b in zip(unbroken[number], again, strict=True))
    batches = [batch for part in unbroken for batch in part]
    assert len({tuple(batch.x.shape[2:]) for batch in batches}) > 1
    assert {batch.other is None for batch in batches} == {True, False}
    for batch in batches:
        planes = (3,) if exclusive else (3, 2)
        assert batch.y.shape == (*planes, *batch.x.shape[2:])
        assert batch.other is None or batch.other.shape == batch.y.shape
        assert batch.y.dtype == torch.uint8
        assert not exclusive or int(batch.y.max()) <= 9


def test_nothing_asked_for_is_nothing_done(tmp_path: Path) -> None:
    labels = LabelSpace(NAMES)
    data = mixed(tmp_path, {}, labels)
    assert not MixedCases.wanted(data.views)
    assert MixedCases.wanted(ViewsConfig(multi_scale=(1.0, 1.0)))
    for plain, batch in zip(epoch(data.cases, 1), epoch(data, 1), strict=True):
        assert same(plain, batch)


def test_sizes_change_images_and_labels_alike(tmp_path: Path) -> None:
    labels = LabelSpace(NAMES)
    data = mixed(tmp_path, {"multi_scale": [2.0, 2.0]}, labels)
    (plain, *_), (large, *_) = epoch(data.cases, 0), epoch(data, 0)
    assert large.x.shape == (3, 1, 128, 192)
    # At twice the size the nearest pixel is an exact copy.
    assert torch.equal(large.y, plain.y.repeat_interleave(2, 2).repeat_interleave(2, 3))
    down = torch.nn.functional.avg_pool2d(large.x, 2)
    assert torch.corrcoef(torch.stack([down.flatten(), plain.x.flatten()]))[0, 1] > 0.9


def test_a_class_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"views\.copy_paste\.classes names no class: 10\. "):
        mixed(tmp_path, {"copy_paste": {"classes": ["3", "10"]}}, LabelSpace(NAMES))


def test_only_the_named_classes_are_pasted(tmp_path: Path) -> None:
    labels = LabelSpace(NAMES)
    data = mixed(tmp_path, {"copy_paste": {"p": 1.0, "classes": ["8"], "shift": 0.5, "objects": [1, 1]}}, labels)
    for plain, batch in zip(epoch(data.cases, 0), epoch(data, 0), strict=True):
        changed = (plain.x != batch.x)[:, 0]
        assert changed.any()
        assert (labels.unpack(batch.y)[:, 8][changed] == 1).all()


@pytest.mark.parametrize("limits", [[1.2, 0.8], [0, 1], [1, 9]])
def test_impossible_scales_are_refused(limits: list[float]) -> None:
    with pytest.raises(ValueError, match="multi_scale must rise"):
        ViewsConfig.model_validate({"multi_scale": limits})


def test_images_of_different_sizes_are_one_line(tmp_path: Path) -> None:
    data = mixed(tmp_path, {}, LabelSpace(NAMES))
    data.cases.views = Views([{"name": "RandomScale", "scale_limit": 0.5, "p": 1.0}], (0.5,), (0.5,))
    with pytest.raises(ConfigError, match=r"the images of a batch differ in size: \d+x\d+ \(\d\) and .* End views"):
        epoch(data, 0)
