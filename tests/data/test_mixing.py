"""Mixing: pixels and labels go together, what is covered is gone, shares and sizes by hand."""

import numpy as np
import pytest
from pydantic import ValidationError

from phalanx.data import mixing
from phalanx.data.mixing import CopyPaste, CutMix, MixUp

SHAPE = (14, 17)


def batch(count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Images whose pixels are unique, and packed labels of ten classes that say which pixel they belong to."""
    x = np.arange(count * 2 * 14 * 17, dtype=np.float32).reshape(count, 2, *SHAPE)
    y = np.random.default_rng(1).integers(0, 256, (count, 2, *SHAPE), np.uint8)
    y[:, 1] &= 3
    return x, y


def sources(x: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Which pixel of the batch each pixel was: its number, from the unique values of channel 0."""
    flat = {float(value): place for place, value in enumerate(before[:, 0].ravel())}
    return np.vectorize(flat.__getitem__)(x[:, 0])


def check_labels_follow(x: np.ndarray, y: np.ndarray, before: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Every pixel has all channels and all labels of the pixel it came from; returns where it came from."""
    found = sources(x, before[0])
    for new, old in ((x, before[0]), (y, before[1])):
        moved = np.moveaxis(old, 1, -1).reshape(-1, old.shape[1])[found]
        assert np.array_equal(np.moveaxis(new, 1, -1), moved)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_a_pasted_box_brings_its_labels(seed: int) -> None:
    x, y = batch()
    before = x.copy(), y.copy()
    mixing.cut(x, y, CutMix(p=1.0), np.random.default_rng(seed))
    found = check_labels_follow(x, y, before)
    images = found // (14 * 17)
    for image in range(3):
        other = images[image] != image
        # One box, from one image, at its own place.
        assert len(np.unique(images[image][other])) <= 1
        rows, columns = np.nonzero(other)
        if len(rows):
            assert other[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()
        assert np.array_equal(found[image] % (14 * 17), np.arange(14 * 17).reshape(SHAPE))
    assert (images != np.arange(3)[:, None, None]).any()


def test_the_box_has_the_drawn_share_of_the_image() -> None:
    rng, areas = np.random.default_rng(0), []
    for _ in range(200):
        rows, columns = mixing.box((400, 300), 0.25, rng)
        # Half of each side, where it is not cut off at the border.
        assert rows.stop - rows.start <= 200
        assert columns.stop - columns.start <= 150
        areas.append((rows.stop - rows.start) * (columns.stop - columns.start))
        assert 0 <= rows.start <= rows.stop <= 400
        assert 0 <= columns.start <= columns.stop <= 300
    assert max(areas) == 200 * 150
    # Of a side a centre leaves 7/8 of the length on average.
    assert np.mean(areas) == pytest.approx(200 * 150 * (7 / 8) ** 2, rel=0.05)
    rows, columns = mixing.box((400, 300), 0.0, rng)
    assert rows.start == rows.stop
    assert columns.start == columns.stop


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Two images: one with two touching boxes of class 1 and one of class 9 that overlaps, one all of class 0."""
    x, y = batch(2)
    y[:] = 0
    y[0, 0, 2:6, 3:7] |= 2
    y[0, 0, 9:12, 10:16] |= 2
    y[0, 1, 4:8, 5:9] |= 2
    y[1, 0] = 1
    return x, y


def test_a_pasted_object_hides_what_lies_below() -> None:
    x, y = scene()
    before = x.copy(), y.copy()
    mixing.paste(x, y, CopyPaste(p=1.0, objects=(1, 1), shift=0), [9], np.random.default_rng(0))
    found = check_labels_follow(x, y, before)
    moved = found[1] < 14 * 17
    expected = np.zeros(SHAPE, bool)
    expected[4:8, 5:9] = True
    assert np.array_equal(moved, expected)
    # Where both classes lie in the source, both are pasted; class 0 of the covered pixels is gone.
    assert y[1, 0, 5, 6] == 2
    assert y[1, 0, 7, 8] == 0
    assert (y[1, 1][expected] == 2).all()
    assert (y[1, 0][~expected] == 1).all()
    assert np.array_equal(x[0], before[0][0])  # the other image has no class 9 to give


def test_one_connected_part_is_pasted_at_a_time() -> None:
    seen = set()
    boxes = {True: ((2, 6), (3, 7)), False: ((9, 12), (10, 16))}
    for seed in range(12):
        x, y = scene()
        before = x.copy(), y.copy()
        mixing.paste(x, y, CopyPaste(p=1.0, objects=(1, 1), shift=0.3), [1], np.random.default_rng(seed))
        found = check_labels_follow(x, y, before)
        there = np.argwhere(found[1] < 14 * 17)
        source = np.stack(np.unravel_index(found[1][tuple(there.T)], SHAPE), 1)
        ((down, right),) = np.unique(there - source, axis=0).tolist()  # all pixels are moved alike
        assert abs(down) <= 4
        assert abs(right) <= 5
        first = bool((source[:, 0] < 6).all())
        rows, columns = boxes[first]
        # All of the object that is still inside the frame, and nothing else.
        tall = min(rows[1] + down, 14) - max(rows[0] + down, 0)
        wide = min(columns[1] + right, 17) - max(columns[0] + right, 0)
        assert len(there) == tall * wide
        assert ((source >= (rows[0], columns[0])) & (source < (rows[1], columns[1]))).all()
        seen.add((first, down, right, len(there)))
    assert {first for first, *_ in seen} == {True, False}
    assert len({(down, right) for _, down, right, _ in seen}) > 6
    assert min(size for *_, size in seen) < 16  # some were cut at the border


def test_objects_of_exclusive_labels() -> None:
    x, _ = batch(2)
    y = np.zeros((2, *SHAPE), np.uint8)
    y[0, 3:9, 4:7] = 2
    y[0, 5, 5] = 3
    y[1] = 1
    mixing.paste(x, y, CopyPaste(p=1.0, objects=(1, 1), shift=0), [2], np.random.default_rng(0))
    assert (y[1] == 2).sum() == 17
    assert y[1, 5, 5] == 1  # a hole of the object stays open
    assert (y[1] == 1).sum() == 14 * 17 - 17


def test_objects_that_are_not_there_change_nothing() -> None:
    x, y = batch(2)
    y[:] = 0
    before = x.copy()
    mixing.paste(x, y, CopyPaste(p=1.0), range(10), np.random.default_rng(0))
    assert np.array_equal(x, before)
    assert not y.any()


def test_blending_by_hand() -> None:
    x, y = batch(3)
    before = x.copy(), y.copy()
    other, share = mixing.blend(x, y, MixUp(p=1.0, alpha=0.4), np.random.default_rng(3))
    assert 0 < share < 1
    step = next(step for step in (1, 2) if np.array_equal(other, np.roll(before[1], -step, 0)))
    np.testing.assert_allclose(x, share * before[0] + (1 - share) * np.roll(before[0], -step, 0), rtol=1e-5)
    assert np.array_equal(y, before[1])
    assert mixing.blend(x, y, MixUp(p=0.0), np.random.default_rng(3)) == (None, 1.0)


def test_shares_are_spread_as_the_beta_distribution() -> None:
    x, y = np.zeros((2, 1, 1, 1), np.float32), np.zeros((2, 1, 1, 1), np.uint8)
    rng = np.random.default_rng(0)
    shares = [mixing.blend(x, y, MixUp(p=1.0, alpha=0.4), rng)[1] for _ in range(2000)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.03)
    # Var of Beta(a, a) is 1 / (4 (2a + 1)).
    assert np.var(shares) == pytest.approx(1 / (4 * 1.8), abs=0.01)


def test_p_is_the_share_of_images() -> None:
    changed = 0
    for seed in range(60):
        x, y = batch(5)
        before = x.copy()
        mixing.cut(x, y, CutMix(p=0.3, alpha=50.0), np.random.default_rng(seed))
        changed += (x != before).any((1, 2, 3)).sum()
    assert changed / 300 == pytest.approx(0.3, abs=0.07)


def test_sizes_are_multiples_of_32_between_the_limits() -> None:
    rng = np.random.default_rng(0)
    sizes = {mixing.scaled((128, 256), (0.5, 1.5), rng) for _ in range(200)}
    assert {height for height, _ in sizes} == {64, 96, 128, 160, 192}
    assert min(width for _, width in sizes) == 128
    assert max(width for _, width in sizes) == 384
    assert mixing.scaled((40, 16), (0.5, 0.5), rng) == (32, 32)


@pytest.mark.parametrize("wrong", [{"objects": [0, 2]}, {"objects": [3, 2]}, {"p": 1.2}, {"shift": -0.1}])
def test_impossible_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        CopyPaste.model_validate(wrong)
