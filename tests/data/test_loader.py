"""Loader: order and draws depend on seed and epoch alone, not on workers or on what came before."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from phalanx.core.case import Case, Runs
from phalanx.core.labels import LabelSpace
from phalanx.data.cache import Cache
from phalanx.data.loader import CaseDataset, collate, loader
from phalanx.data.views import Views

LABELS = LabelSpace(("a", "b"))


@pytest.fixture
def dataset(tmp_path: Path) -> CaseDataset:
    cases = []
    for index in range(7):
        image = np.random.default_rng(index).integers(0, 255, (30, 50), np.uint8)
        cv2.imwrite(str(tmp_path / f"{index}.png"), image)
        cases.append(
            Case(str(index), tmp_path / f"{index}.png", Runs({"a": np.array([[index, 90 + index]])}, (30, 50)))
        )
    views = Views(
        [{"name": "HorizontalFlip", "p": 0.5}, {"name": "Affine", "rotate": [-20, 20], "p": 1}], (0.5,), (0.5,)
    )
    return CaseDataset(cases, Cache(tmp_path / "cache", LABELS, (32, 64), True, 1, "opencv"), views, LABELS, seed=5)


def epoch(dataset: CaseDataset, number: int, workers: int = 0):
    batches = loader(dataset, 3, workers=workers, shuffle=True)
    batches.sampler.set_epoch(number)
    return list(batches)


def test_batches_have_the_documented_shapes(dataset: CaseDataset) -> None:
    batches = epoch(dataset, 0)
    assert len(batches) == 2  # seven cases, the last one is left out
    assert batches[0].x.shape == (3, 1, 32, 64)
    assert batches[0].x.dtype == torch.float32
    assert batches[0].y.shape == (3, 1, 32, 64)  # both classes in one byte
    assert LABELS.unpack(batches[0].y).shape == (3, 2, 32, 64)
    assert batches[0].y.dtype == torch.uint8


def test_epochs_differ_and_repeat(dataset: CaseDataset) -> None:
    first, second, again = epoch(dataset, 0), epoch(dataset, 1), epoch(dataset, 0)
    assert [batch.ids for batch in first] != [batch.ids for batch in second]
    assert [batch.ids for batch in first] == [batch.ids for batch in again]
    assert all(torch.equal(a.x, b.x) and torch.equal(a.y, b.y) for a, b in zip(first, again, strict=True))


def test_workers_change_nothing(dataset: CaseDataset) -> None:
    for alone, shared in zip(epoch(dataset, 3), epoch(dataset, 3, workers=2), strict=True):
        assert alone.ids == shared.ids
        assert torch.equal(alone.x, shared.x)
        assert torch.equal(alone.y, shared.y)


def test_the_same_case_is_drawn_differently_in_each_epoch(dataset: CaseDataset) -> None:
    assert not np.array_equal(dataset[0, 2][1], dataset[1, 2][1])
    assert np.array_equal(dataset[1, 2][1], dataset[1, 2][1])


def test_evaluation_keeps_the_order_and_every_case(dataset: CaseDataset) -> None:
    batches = loader(dataset, 3, workers=0, shuffle=False)
    assert [key for batch in batches for key in batch.ids] == list("0123456")


def test_workers_outlive_an_epoch(dataset: CaseDataset) -> None:
    batches = loader(dataset, 3, workers=1, shuffle=True)
    alive = []
    for number in range(2):
        batches.sampler.set_epoch(number)
        list(batches)
        alive.append([worker.pid for worker in batches._iterator._workers])
    assert alive[0] == alive[1]
    assert len(alive[0]) == 1


def test_what_is_put_together_already_stays_as_it_is(dataset: CaseDataset) -> None:
    batch = collate([dataset[0, 1], dataset[0, 2]])
    assert collate(batch) is batch


@pytest.mark.gpu
def test_a_batch_is_pinned_with_its_blended_labels(dataset: CaseDataset) -> None:
    batch = collate([dataset[0, 1], dataset[0, 2]])
    batch.other = batch.y.clone()
    pinned = batch.pin_memory()
    assert pinned.x.is_pinned()
    assert pinned.y.is_pinned()
    assert pinned.other.is_pinned()
