"""Mirrored cases: shown with the sides swapped, scored and stored as if nothing had happened, to the bit."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from phalanx.core.case import Case, Runs
from phalanx.core.errors import ConfigError
from phalanx.core.labels import LabelSpace
from phalanx.data.cache import Cache
from phalanx.data.settings import Mirror
from phalanx.mask import decode, runs
from phalanx.store.predictions import Store, Writer

LABELS = LabelSpace(("radius", "ulna"))
# Slope and base of the logits of each class, as a function of the grey.
LINES = ((1.0, 0.0), (-1.0, 0.0), (0.0, 0.8))
MIRROR = Mirror(column="side", value="left")


@pytest.fixture
def hands(tmp_path: Path) -> list[Case]:
    """A right hand, a left hand and one of unknown side, all of the same pixels."""
    image = np.random.default_rng(0).integers(0, 255, (37, 53), np.uint8)
    mask = np.zeros((37, 53), bool)
    mask[5:20, 3:30] = True
    cases = []
    for side in ("right", "left", "unknown"):
        cv2.imwrite(str(tmp_path / f"{side}.png"), image)
        labels = Runs({"radius": runs.from_mask(mask), "ulna": runs.from_mask(mask[::-1])}, (37, 53))
        cases.append(Case(side, tmp_path / f"{side}.png", labels, metadata={"side": side}))
    return cases


@pytest.mark.parametrize("keep_aspect", [True, False])
def test_only_the_named_side_is_turned(tmp_path: Path, hands: list[Case], keep_aspect: bool) -> None:
    cache = Cache(tmp_path / "cache", LABELS, (32, 64), keep_aspect, 1, "opencv", MIRROR)
    right, left, unknown = map(cache.item, hands)
    width = right.geometry.inner[1]
    assert (width < 64) is keep_aspect
    assert np.array_equal(left.image[:, :width], right.image[:, width - 1 :: -1])
    assert np.array_equal(left.image[:, width:], right.image[:, width:])
    assert np.array_equal(left.masks()[:, :width], right.masks()[:, width - 1 :: -1])
    assert np.array_equal(unknown.image, right.image)
    assert [item.geometry.mirrored for item in (right, left, unknown)] == [False, True, False]
    assert all(np.array_equal(a, b) for a, b in zip(left.truth, right.truth, strict=True))


@pytest.mark.parametrize("keep_aspect", [True, False])
@pytest.mark.parametrize("exclusive", [True, False])
def test_predictions_of_a_mirrored_image_come_back_exactly(
    tmp_path: Path, hands: list[Case], keep_aspect: bool, exclusive: bool
) -> None:
    """A network that treats every pixel alike says the same of an image and of its mirror image."""
    labels = LabelSpace(("background", *LABELS.names), exclusive=True) if exclusive else LABELS
    cache = Cache(tmp_path / "cache", labels, (32, 64), keep_aspect, 1, "opencv", MIRROR)
    right, left = cache.item(hands[0]), cache.item(hands[1])
    shown = [item.image[..., 0].astype(np.float32) / 50 - 2.5 for item in (right, left)]
    logits = [np.stack([grey * slope + base for slope, base in LINES[: len(labels)]]) for grey in shown]
    assert not np.array_equal(*logits)
    plain, turned = (
        decode.to_runs(stack, item.geometry, labels) for stack, item in zip(logits, (right, left), strict=True)
    )
    assert all(len(a) and np.array_equal(a, b) for a, b in zip(plain, turned, strict=True))
    writer = Writer(tmp_path / "oof.zarr", labels, {}, "float16")
    for case, stack, item in zip(("right", "left"), logits, (right, left), strict=True):
        writer.write(case, stack, item.geometry)
    writer.close()
    (first, geometry), (second, other) = (Store(tmp_path / "oof.zarr").read(case) for case in ("right", "left"))
    assert np.array_equal(first, second)
    assert geometry == other == right.geometry


def test_entries_are_shared_with_those_who_do_not_mirror(tmp_path: Path, hands: list[Case]) -> None:
    plain = Cache(tmp_path / "cache", LABELS, (32, 64), True, 1, "opencv")
    mirrored = Cache(tmp_path / "cache", LABELS, (32, 64), True, 1, "opencv", MIRROR)
    assert plain.path(hands[1]) == mirrored.path(hands[1])
    mirrored.item(hands[1])
    assert not plain.item(hands[1]).geometry.mirrored
    assert np.array_equal(plain.item(hands[1]).image, plain.item(hands[0]).image)


def test_a_side_that_no_case_has_is_named(hands: list[Case]) -> None:
    MIRROR.check(hands)
    with pytest.raises(ConfigError, match=r"data\.mirror\.column is not in the metadata: sid\. Did you mean side"):
        Mirror(column="sid").check(hands)
    with pytest.raises(ConfigError, match=r"no case has this side \(data\.mirror\): Left\. Did you mean left"):
        Mirror(value="Left").check(hands)
