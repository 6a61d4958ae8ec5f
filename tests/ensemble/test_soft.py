"""Soft ensemble: equal to the dense computation, members of other sizes, and what does not fit together."""

from pathlib import Path

import numpy as np
import pytest
import torch

from phalanx.core.errors import StoreError
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.ensemble import soft
from phalanx.mask import runs
from phalanx.store.predictions import Store, Writer

BONES = LabelSpace(("radius", "ulna", "lunate"))
ORGANS = LabelSpace(("background", "liver", "spleen"), exclusive=True)
ORIGINAL = (75, 110)


def smooth(seed: int, size: tuple[int, int]) -> np.ndarray:
    coarse = torch.from_numpy(np.random.default_rng(seed).normal(0, 6, (1, 3, 5, 7)).astype(np.float32))
    return torch.nn.functional.interpolate(coarse, size, mode="bicubic")[0].numpy()


def store(path: Path, labels: LabelSpace, seed: int, size=(32, 48), cases=("a", "b")) -> Store:
    writer = Writer(path, labels, {}, "float16")
    for index, case in enumerate(cases):
        geometry = Geometry.fit(ORIGINAL, size, keep_aspect=False)
        writer.write(case, smooth(seed + 10 * index, size), geometry)
    writer.close()
    return Store(path)


def dense(stores: list[Store], case: str) -> torch.Tensor:
    """Every member upsampled in full, then averaged: `(c, h, w)`."""
    upsampled = [
        torch.nn.functional.interpolate(torch.from_numpy(s.read(case)[0])[None], ORIGINAL, mode="bilinear")[0]
        for s in stores
    ]
    return torch.stack(upsampled).mean(0)


@pytest.mark.parametrize("labels", [BONES, ORGANS], ids=["overlapping", "exclusive"])
@pytest.mark.parametrize(
    "sizes", [((32, 48), (32, 48), (32, 48)), ((32, 48), (64, 64), (96, 32))], ids=["same", "mixed"]
)
def test_the_mean_equals_the_dense_computation(tmp_path: Path, labels: LabelSpace, sizes) -> None:
    stores = [store(tmp_path / f"{index}.zarr", labels, index, size) for index, size in enumerate(sizes)]
    seen = []
    for case, geometry, found in soft.mean(stores):
        logits = dense(stores, case)
        reference = labels.decode(logits.numpy())
        assert geometry.original == ORIGINAL
        for run, mask in zip(found, reference, strict=True):
            painted = runs.to_mask(run, ORIGINAL)
            # Two resamplers round differently: only pixels on the very edge of a decision may differ.
            assert (painted != mask).sum() <= 2
            assert 0 < mask.sum() < mask.size
        seen.append(case)
    assert seen == ["a", "b"]


def test_only_the_cases_asked_for_in_their_order(tmp_path: Path) -> None:
    single = store(tmp_path / "0.zarr", BONES, 0, cases=("a", "b", "c"))
    assert [case for case, _, _ in soft.mean([single], ["c", "a"])] == ["c", "a"]


def test_a_member_twice_changes_nothing(tmp_path: Path) -> None:
    single = store(tmp_path / "0.zarr", BONES, 0)
    for (_, _, once), (_, _, twice) in zip(soft.mean([single]), soft.mean([single, single]), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(once, twice, strict=True))


def test_other_classes_or_cases_are_refused(tmp_path: Path) -> None:
    first = store(tmp_path / "0.zarr", BONES, 0)
    renamed = store(tmp_path / "1.zarr", LabelSpace(("radius", "Ulna", "lunate")), 1)
    fewer = store(tmp_path / "2.zarr", BONES, 2, cases=("a", "z"))
    with pytest.raises(StoreError, match="same classes: .*ulna against Ulna"):
        list(soft.mean([first, renamed]))
    with pytest.raises(StoreError, match=r"same cases: .*lacks 1 cases \['b'\] and has 1 more \['z'\]"):
        list(soft.mean([first, fewer]))
