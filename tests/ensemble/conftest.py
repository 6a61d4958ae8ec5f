"""Settings of the property tests, stores that are made from planes, and members in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
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


@dataclass
class Planes:
    """What a member in memory says of a case."""

    geometry: Geometry
    values: np.ndarray

    def plane(self, channel: int) -> np.ndarray:
        """One class."""
        return self.values[channel]


@dataclass
class Held:
    """A member in memory; see `ensemble.members.Member`."""

    name: str
    labels: LabelSpace
    stacks: dict[str, Planes] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Its name."""
        return self.name

    @property
    def cases(self) -> list[str]:
        """Ids."""
        return list(self.stacks)

    def open(self, case: str) -> Planes:
        """A case."""
        return self.stacks[case]


@dataclass
class World:
    """Members, the truth they are after, and whose images they are."""

    members: list[Held]
    truth: dict[str, list[np.ndarray]]
    groups: list[str]
    sizes: list[tuple[int, int]]


@pytest.fixture(scope="session")
def world() -> Callable[..., World]:
    """Discs, and what members with this much noise (and shift of their logits) say of them."""

    def make(
        noise, *, cases=12, classes=2, shift=None, seed=0, size=(48, 60), network=(24, 30), specks=0.0
    ) -> World:  # fmt: skip
        rng = np.random.default_rng(seed)
        labels = LabelSpace(tuple(f"disc{label}" for label in range(classes)))
        shift = [0.0] * len(noise) if shift is None else shift
        geometry = Geometry.fit(size, network, keep_aspect=False)
        members = [Held(f"m{place}", labels) for place in range(len(noise))]
        truth = {}
        y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
        for case in range(cases):
            discs = []
            for _ in range(classes):
                centre = rng.uniform(0.3, 0.7) * size[0], rng.uniform(0.3, 0.7) * size[1]
                discs.append(rng.uniform(6, 11) - np.hypot(y - centre[0], x - centre[1]))
            truth[f"case{case:02}"] = [runs.from_mask(disc > 0) for disc in discs]
            small = np.stack([cv2.resize(disc, network[::-1], interpolation=cv2.INTER_AREA) for disc in discs])
            for member, strength, lift in zip(members, noise, shift, strict=True):
                rough = [rng.normal(size=network).astype(np.float32) for _ in discs]
                wobble = np.stack([cv2.GaussianBlur(plane, (0, 0), 1.5) * 4 for plane in rough])
                values = small + strength * wobble + lift
                values[:, rng.random(network) < specks] = 3.0
                member.stacks[f"case{case:02}"] = Planes(geometry, np.clip(values, -8, 7.9).astype(np.float32))
        groups = [f"person{case // 2}" for case in range(cases)]
        return World(members, truth, groups, [size] * cases)

    return make
