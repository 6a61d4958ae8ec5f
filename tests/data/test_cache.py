"""Cache: content decides, damage is mended, truth survives, masks keep half-covered pixels."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from phalanx.core.case import Case, Polygons, Runs
from phalanx.core.labels import LabelSpace
from phalanx.data import cache as caches
from phalanx.data.cache import Cache
from phalanx.data.views import Views
from phalanx.mask import runs

LABELS = LabelSpace(("radius", "ulna", "lunate"))
NEGATIVE = Views([{"name": "InvertImg", "p": 1.0}], (0.0,), (1.0,), section="views.prepare", geometric=False)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    image = np.random.default_rng(0).integers(0, 255, (48, 80, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "hand.png"), image)
    square = np.array([[10.0, 8.0], [29.0, 8.0], [29.0, 27.0], [10.0, 27.0]])
    other = np.array([[25.0, 20.0], [70.0, 20.0], [70.0, 40.0]])
    return Case("hand.png", tmp_path / "hand.png", Polygons({"radius": [square], "lunate": [other]}), "p1")


def cache(tmp_path: Path, **changes) -> Cache:
    settings = {"size": (24, 40), "keep_aspect": False, "channels": 1, "rasteriser": "opencv", **changes}
    return Cache(tmp_path / "cache", LABELS, **settings)


def test_an_item_holds_image_masks_geometry_and_truth(tmp_path: Path, case: Case) -> None:
    for item in (cache(tmp_path).item(case), cache(tmp_path).item(case)):  # made, then read
        assert item.image.shape == (24, 40, 1)
        assert item.masks().shape == (24, 40, 3)
        assert item.geometry.original == (48, 80)
        assert [runs.area(run) for run in item.truth] == [400, 0, runs.area(item.truth[2])]
        # 20 x 20 pixels at half the scale
        assert item.masks()[..., 0].sum() == 100
        assert item.masks()[..., 1].sum() == 0


def test_the_second_read_comes_from_disk(tmp_path: Path, case: Case) -> None:
    made = cache(tmp_path)
    first = made.item(case)
    path = made.path(case)
    stamp = path.stat().st_mtime_ns
    second = made.item(case)
    assert path.stat().st_mtime_ns == stamp
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.bits, second.bits)
    assert all(np.array_equal(a, b) for a, b in zip(first.truth, second.truth, strict=True))


def test_everything_an_entry_is_made_of_is_in_its_name(tmp_path: Path, case: Case) -> None:
    moved = Case(case.id, case.image, Polygons({"radius": [np.array([[1.0, 1], [5, 1], [5, 6]])]}), "p1")
    entries = {cache(tmp_path).path(case), cache(tmp_path).path(moved)}
    for change in ({"size": (32, 40)}, {"keep_aspect": True}, {"channels": 3}, {"rasteriser": "coco"}):
        entries.add(cache(tmp_path, **change).path(case))
    for change in ({"size": None}, {"prepare": NEGATIVE}):
        entries.add(cache(tmp_path, **change).path(case))
    assert len(entries) == 8
    assert cache(tmp_path).path(Case("another id", case.image, case.labels)) == cache(tmp_path).path(case)


def test_a_damaged_entry_is_made_again(tmp_path: Path, case: Case) -> None:
    made = cache(tmp_path)
    whole = made.item(case)
    for content in (b"", made.path(case).read_bytes()[:200]):
        made.path(case).write_bytes(content)
        assert np.array_equal(made.item(case).image, whole.image)


def test_an_unlabelled_case_has_no_masks(tmp_path: Path, case: Case) -> None:
    bare = Case(case.id, case.image)
    for _ in range(2):
        item = cache(tmp_path).item(bare)
        assert item.bits is None
        assert item.truth is None


def test_prior_counts_by_hand(tmp_path: Path, case: Case) -> None:
    run = np.array([[0, 80 * 24]])  # the upper half of the picture
    half = Case("h", case.image, Runs({"ulna": run}, (48, 80)))
    empty = Case("e", case.image, Runs({}, (48, 80)))
    shares, counts = caches.prior([cache(tmp_path).item(half), cache(tmp_path).item(empty)], LABELS)
    assert shares.tolist() == [0.0, 0.25, 0.0]
    assert counts.tolist() == [0.0, 480.0, 0.0]
    exclusive = LabelSpace(("background", "ulna"), exclusive=True)
    other = Cache(tmp_path / "cache", exclusive, (24, 40), False, 1, "opencv")
    shares, _ = caches.prior([other.item(half), other.item(empty)], exclusive)
    assert shares.tolist() == [0.75, 0.25]


def test_half_covered_pixels_leave_the_area_as_it_was(tmp_path: Path, case: Case) -> None:
    """A square whose outline falls on the middle of the network's pixels."""
    square = np.zeros((48, 80), bool)
    square[11:31, 21:51] = True
    item = cache(tmp_path).item(Case("s", case.image, Runs({"ulna": runs.from_mask(square)}, (48, 80))))
    shrunk = item.masks()[..., 1]
    assert shrunk.sum() == pytest.approx(square.sum() / 4, rel=0.02)
    assert shrunk[6:15, 11:25].all()  # wholly covered
    assert shrunk[:5].sum() == shrunk[:, :10].sum() == 0  # not at all


def test_an_image_may_keep_its_own_size(tmp_path: Path, case: Case) -> None:
    item = cache(tmp_path, size=None, channels=3).item(case)
    assert np.array_equal(item.image, cv2.imread(str(case.image))[..., ::-1])
    assert item.geometry.original == item.geometry.network == item.geometry.inner == (48, 80)
    for channel, truth in enumerate(item.truth):
        assert np.array_equal(item.masks()[..., channel], runs.to_mask(truth, (48, 80)))


def test_pixels_are_prepared_once_and_padding_stays_black(tmp_path: Path, case: Case) -> None:
    plain, made = (
        cache(tmp_path, keep_aspect=True, size=(32, 40)),
        cache(tmp_path, keep_aspect=True, size=(32, 40), prepare=NEGATIVE),
    )
    for _ in range(2):  # made, then read
        assert np.array_equal(made.item(case).image[:24], 255 - plain.item(case).image[:24])
        assert (made.item(case).image[24:] == 0).all()
        assert np.array_equal(made.item(case).bits, plain.item(case).bits)
