"""Windows: where they lie, what they are laid over, what the loader cuts out of an image and its masks."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from phalanx.core.case import Case, Runs
from phalanx.core.config import validate
from phalanx.core.errors import ConfigError
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.data import windows
from phalanx.data.cache import Cache
from phalanx.data.loader import CaseDataset, loader
from phalanx.data.settings import DataConfig, Mirror
from phalanx.data.views import Views
from phalanx.data.windows import Window
from phalanx.mask import runs

NAMES = ("radius", "ulna", "pisiform")
LABELS = LabelSpace(NAMES)
# (top, left, bottom, right) of the boxes that a class fills in an image of 60 x 90; the ulna is absent.
BOXES = {"radius": (10, 20, 50, 60), "pisiform": (4, 70, 8, 75)}


def masks(size: tuple[int, int] = (60, 90)) -> list[np.ndarray]:
    made = []
    for name in NAMES:
        mask = np.zeros(size, bool)
        top, left, bottom, right = BOXES.get(name, (0, 0, 0, 0))
        mask[top:bottom, left:right] = True
        made.append(runs.from_mask(mask))
    return made


def drawn(window: Window, geometry: Geometry, count: int = 400) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.array([windows.corner(window, geometry, masks(), NAMES, rng) for _ in range(count)])


NATIVE = Geometry.fit((60, 90), (60, 90), keep_aspect=False)


def test_windows_without_balance_lie_anywhere() -> None:
    corners = drawn(Window(size=(16, 24), balance=0.0), NATIVE)
    assert corners.min(0).tolist() == [0, 0]
    assert corners.max(0).tolist() == [44, 66]
    assert abs(corners.mean(0) - [22, 33]).max() < 2.5


def share_over(corners: np.ndarray, name: str, size: tuple[int, int] = (16, 24)) -> float:
    """Share of the windows whose middle lies in the box of a class."""
    top, left, bottom, right = BOXES[name]
    middle = corners + np.array(size) / 2
    inside = (middle[:, 0] >= top) & (middle[:, 0] <= bottom) & (middle[:, 1] >= left) & (middle[:, 1] <= right)
    return float(inside.mean())


def test_small_classes_are_drawn_by_inverse_area() -> None:
    """The pisiform is 80 times smaller than the radius, and 80 times as likely."""
    window = Window(size=(2, 2), balance=1.0, spread=0.0, classes="inverse_area")
    assert share_over(drawn(window, NATIVE), "pisiform", (2, 2)) > 0.95


def test_classes_are_drawn_evenly_or_by_given_weights() -> None:
    even = drawn(Window(size=(2, 2), balance=1.0, spread=0.0, classes="even"), NATIVE)
    given = drawn(Window(size=(2, 2), balance=1.0, spread=0.0, classes={"pisiform": 3.0}), NATIVE)
    only = drawn(Window(size=(2, 2), balance=1.0, spread=0.0, classes={"radius": 0.0, "ulna": 9.0}), NATIVE)
    assert share_over(even, "pisiform", (2, 2)) == pytest.approx(0.5, abs=0.08)
    assert share_over(given, "pisiform", (2, 2)) == pytest.approx(0.75, abs=0.08)
    assert share_over(only, "pisiform", (2, 2)) == 1  # the ulna is not there


def test_balance_is_a_share_of_the_windows() -> None:
    corners = drawn(Window(size=(2, 2), balance=0.4, spread=0.0, classes={"radius": 0.0}), NATIVE)
    assert share_over(corners, "pisiform", (2, 2)) == pytest.approx(0.4 + 0.6 * 20 / 5400, abs=0.08)


def test_spread_keeps_the_object_within_the_window() -> None:
    for spread, reach in ((0.0, 0.5), (0.5, 0.75), (1.0, 1.0)):
        corners = drawn(Window(size=(16, 24), balance=1.0, spread=spread, classes={"radius": 0.0}), NATIVE)
        # A pixel of the pisiform lies within half the window, times what spread allows, of the middle; at the image's
        # edge the window gives way.
        assert (corners[:, 0] == 0).all() or spread > 0
        least, most = corners[:, 1].min(), corners[:, 1].max()
        assert 70 - 24 * reach - 1 <= least <= most <= 75 - 24 * (1 - reach) + 1
        assert ((corners[:, 1] <= 75) & (corners[:, 1] + 24 >= 70)).all()


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_point_follows_the_geometry(mirrored: bool) -> None:
    """Letterboxed to half the size in a frame of 40 x 80; the picture is 30 x 45."""
    geometry = replace(Geometry.fit((60, 90), (40, 45), keep_aspect=True), mirrored=mirrored)
    assert geometry.inner == (30, 45)
    corners = drawn(Window(size=(4, 2), balance=1.0, spread=0.0, classes={"radius": 0.0}), geometry)
    middles = corners + np.array([2, 1])
    columns = 45 - middles[:, 1] if mirrored else middles[:, 1]
    assert (abs(columns - 36.25) <= 1.75).all()
    assert (abs(middles[:, 0] - 3) <= 1.5).all()


def test_without_labels_windows_lie_anywhere() -> None:
    rng = np.random.default_rng(0)
    window = Window(size=(16, 24), balance=1.0)
    corners = np.array([windows.corner(window, NATIVE, None, NAMES, rng) for _ in range(100)])
    empty = np.array([windows.corner(window, NATIVE, [runs.empty()] * 3, NAMES, rng) for _ in range(100)])
    assert len(np.unique(corners, axis=0)) > 80
    assert len(np.unique(empty, axis=0)) > 80


def test_every_pixel_of_a_mask_is_as_likely() -> None:
    rng, run = np.random.default_rng(0), np.array([[3, 5], [9, 10], [20, 24]])
    found = np.bincount([windows._pixel(run, rng) for _ in range(7000)], minlength=25)
    assert np.flatnonzero(found).tolist() == [3, 4, 9, 20, 21, 22, 23]
    assert found[found > 0] == pytest.approx(1000, abs=120)


# ---- the loader --------------------------------------------------------------------------------------------------


@pytest.fixture
def cases(tmp_path: Path) -> list[Case]:
    """Images of different sizes whose pixels say where they are."""
    made = []
    for index, (height, width) in enumerate([(60, 90), (41, 130), (20, 33)]):
        rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
        image = np.stack([rows, columns, np.full_like(rows, index)], 2).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{index}.png"), image[..., ::-1])
        truth = {name: runs.from_mask((rows + columns) % (5 + place) == 0) for place, name in enumerate(NAMES)}
        side = {"side": "left" if index == 1 else "right"}
        made.append(Case(str(index), tmp_path / f"{index}.png", Runs(truth, (height, width)), metadata=side))
    return made


def dataset(cases: list[Case], tmp_path: Path, window: Window | None, **changes) -> CaseDataset:
    cache = Cache(
        tmp_path / "cache",
        LABELS,
        **{"size": None, "keep_aspect": False, "channels": 3, "rasteriser": "opencv", **changes},
    )
    return CaseDataset(cases, cache, Views((), (0.0,), (1.0,)), LABELS, seed=3, window=window)


@pytest.mark.parametrize("mirror", [None, Mirror()])
def test_image_and_masks_are_cut_alike_at_the_image_s_own_size(cases: list[Case], tmp_path: Path, mirror) -> None:
    data = dataset(cases, tmp_path, Window(size=(24, 40), per_image=3), mirror=mirror)
    assert len(data) == 9
    places = set()
    for epoch in range(2):
        for index in range(9):
            name, image, bits = data[epoch, index]
            assert name == cases[index % 3].id
            assert image.shape == (3, 24, 40)
            assert bits.shape == (1, 24, 40)
            rows, columns, number = np.rint(image * 255).astype(int)
            assert (number == index % 3).all()
            places.add((index % 3, rows[0, 0], columns[0, 0]))
            for place in range(3):
                assert np.array_equal(bits[0] >> place & 1, (rows + columns) % (5 + place) == 0)
            if index % 3 < 2:
                step = -1 if mirror is not None and index % 3 == 1 else 1
                assert np.array_equal(columns[0], columns[0, 0] + step * np.arange(40))
                assert np.array_equal(rows[:, 0], rows[0, 0] + np.arange(24))
            else:  # smaller than the window: mirrored at the edges
                assert columns[0].tolist() == [*range(33), *range(31, 24, -1)]
                assert rows[:, 0].tolist() == [*range(20), 18, 17, 16, 15]
    assert len(places) > 9


def test_strips_make_no_difference(cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    window = Window(size=(24, 40))
    plain = [dataset(cases, tmp_path / "a", window)[0, index] for index in range(3)]
    monkeypatch.setattr("phalanx.data.entry._ROWS", 7)
    strips = [dataset(cases, tmp_path / "b", window)[0, index] for index in range(3)]
    for one, other in zip(plain, strips, strict=True):
        assert np.array_equal(one[1], other[1])
        assert np.array_equal(one[2], other[2])


def test_a_window_unpacks_only_the_strips_it_touches(
    cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phalanx.data.entry._ROWS", 8)
    entry = dataset(cases, tmp_path, None).held.entry(cases[0])
    assert len(entry.image) == len(entry.bits) == 8
    broken = replace(entry, image=(b"", *entry.image[1:3], *[b""] * 5), bits=(b"", *entry.bits[1:3], *[b""] * 5))
    image, bits = broken.rows(9, 24)
    assert image[:, 0, 0].tolist() == list(range(9, 24))
    assert bits.shape == (15, 90, 1)
    with pytest.raises(RuntimeError):
        broken.rows(9, 25)


def test_the_whole_image_is_shrunk_for_a_share_of_the_samples(cases: list[Case], tmp_path: Path) -> None:
    data = dataset(cases[:1], tmp_path, Window(size=(24, 40), full=0.3, per_image=200))
    shown = [np.rint(data[0, index][1] * 255).astype(int) for index in range(200)]
    whole = [image for image in shown if np.ptp(image[0]) > 23]
    assert len(whole) / 200 == pytest.approx(0.3, abs=0.1)
    # 60 x 90 into 24 x 40, its aspect kept: 24 x 36, every pixel the mean of 2.5 x 2.5.
    for image in whole:
        assert abs(image[0, :, 0] - (np.arange(24) * 2.5 + 0.75)).max() <= 1
        assert (image[:, :, 36:] == 0).all()


def test_windows_are_the_same_for_any_number_of_workers(cases: list[Case], tmp_path: Path) -> None:
    data = dataset(cases, tmp_path, Window(size=(16, 24), per_image=4, full=0.2))
    batches = []
    for workers in (0, 2):
        batch = loader(data, 4, workers=workers, shuffle=True)
        batch.sampler.set_epoch(2)
        batches.append([(one.ids, one.x, one.y) for one in batch])
    for one, other in zip(*batches, strict=True):
        assert one[0] == other[0]
        assert one[1].equal(other[1])
        assert one[2].equal(other[2])
    first, again = data[0, 5][1], data[0, 5][1]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, data[1, 5][1])


def test_entries_held_in_memory_stay_within_their_bytes(cases: list[Case], tmp_path: Path) -> None:
    held = dataset(cases, tmp_path, None).held
    sizes = [held.cache.entry(case).nbytes for case in cases]
    held.most = sizes[1] + sizes[2]
    kept = [held.entry(case) for case in (cases[0], cases[1], cases[2], cases[1])]
    assert held._bytes == sum(entry.nbytes for entry in held._kept.values()) <= held.most
    assert kept[1] is kept[3]


# ---- the settings ------------------------------------------------------------------------------------------------


def test_classes_are_checked_against_the_labels() -> None:
    window = Window(size=(16, 16), classes={"pisifrom": 2.0})
    with pytest.raises(ConfigError, match=r"pisifrom.*pisiform"):
        window.check(NAMES)
    Window(size=(16, 16)).check(NAMES)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fit": "native"}, "native needs data.window"),
        ({"size": [64, 64], "window": {"size": [32, 96]}}, "larger than data.size"),
        ({"window": {"size": [0, 16]}}, "two positive numbers"),
        ({"window": {"size": [16, 16], "classes": {"a": -1}}}, "window.classes"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate(DataConfig, {"dataset": {"name": "phantom"}, **given})
    validate(DataConfig, {"dataset": {"name": "phantom"}, "fit": "native", "window": {"size": [16, 16]}})
