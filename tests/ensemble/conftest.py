"""Settings of the property tests, and stores that are made from planes."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.mask import dialect, runs
from phalanx.store.predictions import Store, Writer
from phalanx.submit import write

# A busy machine is no fault of the code: no deadline for one example.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

BONES = LabelSpace(("radius", "ulna", "lunate"))
SIZE = (24, 40)


def blobs(seed: int, count: int, size: tuple[int, int]) -> np.ndarray:
    """Smooth planes `(count, h, w)` that are positive here and there."""
    import cv2

    coarse = np.random.default_rng(seed).normal(0, 4, (count, 4, 5)).astype(np.float32)
    return np.stack([cv2.resize(plane, size[::-1], interpolation=cv2.INTER_CUBIC) for plane in coarse])


@pytest.fixture(scope="session")
def store_at() -> Callable[..., Store]:
    """Makes a store of random planes: `store_at(path, seed, labels, cases, network, dtype)`."""

    def make(
        path: Path, seed: int = 0, *, labels: LabelSpace = BONES, cases: tuple[str, ...] = ("a.png", "b.png"),
        network: tuple[int, int] = (12, 20), dtype: str = "int8", planes: Mapping[str, np.ndarray] | None = None,
    ) -> Store:  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = Writer(path, labels, {}, dtype)  # type: ignore[arg-type]
        for place, case in enumerate(cases):
            found = blobs(100 * seed + place, len(labels), network) if planes is None else planes[case]
            writer.write(case, found, Geometry.fit(SIZE, network, keep_aspect=False))
        writer.close()
        return Store(path)

    return make


@pytest.fixture(scope="session")
def sheet_at() -> Callable[..., Path]:
    """Writes a CSV of random masks: `sheet_at(path, seed)`."""

    def make(
        path: Path, seed: int = 0, *, labels: tuple[str, ...] = BONES.names,
        cases: tuple[str, ...] = ("a.png", "b.png"),
        written: str = "handbone", size: tuple[int, int] = SIZE,
    ) -> Path:  # fmt: skip
        rows = (
            (case, size, {n: runs.from_mask(blobs(100 * seed + at + 9000, len(labels), size)[i] > 0)
                          for i, n in enumerate(labels)})
            for at, case in enumerate(cases)
        )  # fmt: skip
        write.write(path, dialect.named(written), rows, labels)
        return path

    return make


@pytest.fixture
def store(tmp_path: Path, store_at: Callable[..., Store]) -> Callable[..., Store]:
    """`store_at` by a name in the test's own folder."""
    return lambda name, *arguments, **keywords: store_at(tmp_path / name, *arguments, **keywords)


@pytest.fixture
def sheet(tmp_path: Path, sheet_at: Callable[..., Path]) -> Callable[..., Path]:
    """`sheet_at` by a name in the test's own folder."""
    return lambda name, *arguments, **keywords: sheet_at(tmp_path / name, *arguments, **keywords)
