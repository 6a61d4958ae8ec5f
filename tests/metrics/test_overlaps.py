"""Overlaps of sheets: against dense NumPy and pycocotools, whatever the order of rows and the slices."""

from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco

from phalanx.core.errors import SubmissionError
from phalanx.mask import pile
from phalanx.mask.dialect import named
from phalanx.mask.index import Index
from phalanx.mask.sheet import Sheet
from phalanx.metrics import _overlaps
from phalanx.metrics._overlaps import Grid
from phalanx.metrics.dice import Dice
from phalanx.metrics.iou import Iou
from phalanx.submit import write

SIZE = (13, 17)
KEYS = [(f"i{image}.png", label) for image in range(6) for label in "xyz"]


def dense(seed: int) -> np.ndarray:
    """Random masks `(keys, h, w)`, among them an empty one and a full one."""
    rng = np.random.default_rng(seed)
    masks = rng.random((len(KEYS), *SIZE)) < rng.uniform(0.1, 0.9, (len(KEYS), 1, 1))
    masks[seed % 5], masks[5 + seed % 3] = False, True
    return masks


def opened(path: Path, masks: np.ndarray, order: np.ndarray) -> Index:
    from phalanx.mask import runs

    dialect = named("handbone")
    found = pile.of([runs.from_mask(masks[place]) for place in order])
    path.write_bytes(write.header(dialect) + write.lines([KEYS[place] for place in order], found, dialect))
    return Index(Sheet(path, dialect))


@pytest.fixture
def three(tmp_path):
    masks = [dense(seed) for seed in range(3)]
    orders = [np.random.default_rng(seed).permutation(len(KEYS)) for seed in range(3)]
    sources = [opened(tmp_path / f"{seed}.csv", masks[seed], orders[seed]) for seed in range(3)]
    yield masks, sources
    for source in sources:
        source.source.__exit__()


@pytest.mark.parametrize("size", [1, 200, 10**6])
def test_counts_are_those_of_painted_masks(three, size):
    masks, sources = three
    assert _overlaps.align(sources) == []
    ranges = _overlaps.parts(sources, size)
    assert [first for first, _ in ranges] == [0, *(end for _, end in ranges[:-1])]
    assert ranges[-1][1] == len(KEYS)
    assert (len(ranges) == 1) == (size == 10**6)
    counts = np.concatenate(list(_overlaps.counts(sources, [(0, 1), (2, 1)], ranges, SIZE)), 1)
    place = [KEYS.index(key) for key in sources[0].keys]
    for row, (a, b) in enumerate([(0, 1), (2, 1)]):
        first, second = masks[a][place], masks[b][place]
        expected = np.stack([(first & second).sum((1, 2)), first.sum((1, 2)), second.sum((1, 2))], 1)
        np.testing.assert_array_equal(counts[row], expected)
        # eps of 1e-4 on areas of 20 pixels and more
        np.testing.assert_allclose(
            Iou()(counts[row]), [_coco(*pair) for pair in zip(first, second, strict=True)], atol=1e-5
        )
        total = np.maximum(expected[:, 1] + expected[:, 2], 1e-9)
        with_pixels = expected[:, 1:].any(1)
        np.testing.assert_allclose(
            Dice()(counts[row])[with_pixels], (2 * expected[:, 0] / total)[with_pixels], atol=1e-5
        )


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("size", [1, 200, 10**6])
def test_counts_of_two(three, size, turned, monkeypatch):
    """Straight from the text, or from masks that are laid out: the same counts, in the order of the pair."""
    masks, (first, second, _) = three
    _overlaps.align([first, second])
    if turned:
        monkeypatch.setattr(Index, "cells", lambda *_: None)
    else:
        monkeypatch.setattr(pile, "overlap", None)
    counts = np.concatenate(
        list(_overlaps.counts([first, second], [(1, 0)], _overlaps.parts([first, second], size))), 1
    )
    place = [KEYS.index(key) for key in first.keys]
    a, b = masks[1][place], masks[0][place]
    np.testing.assert_array_equal(counts, np.stack([(a & b).sum((1, 2)), a.sum((1, 2)), b.sum((1, 2))], 1)[None])


def test_rows_of_one_key_are_united(tmp_path):
    """Objects, a row each: the same number of rows, but not of masks."""
    rows = ["a,1 2\na,9 1\nb,3 2\n", "a,2 3\nb,4 1\nb,8 2\n"]
    for place, text in enumerate(rows):
        (tmp_path / f"{place}.csv").write_text("ImageId,EncodedPixels\n" + text)
    sources = [Index(Sheet(tmp_path / f"{place}.csv", named("dsb2018"))) for place in range(2)]
    _overlaps.align(sources)
    (counts,) = _overlaps.counts(sources, [(0, 1)], [(0, 2)])
    assert counts.tolist() == [[[1, 3, 3], [1, 2, 3]]]
    for source in sources:
        source.source.__exit__()


def test_a_row_at_fault_is_named(tmp_path):
    cells = [f"{2 * place + 1} 1" for place in range(40)]
    sound = "".join(f"i{place},x,{cell}\n" for place, cell in enumerate(cells))
    cells[23] = "5 3 6 2"
    sources = sources_of(tmp_path, sound, "".join(f"i{place},x,{cell}\n" for place, cell in enumerate(cells)))
    _overlaps.align(sources)
    with pytest.raises(SubmissionError, match=r"1\.csv, line 25 \(i23, x\): overlapping runs: run 2 is '6 2'"):
        list(_overlaps.counts(sources, [(1, 0)], _overlaps.parts(sources, 100)))
    with pytest.raises(SubmissionError, match=r"line 34 \(i32, x\): a run that leaves the image"):
        list(_overlaps.counts(sources, [(0, 0)], _overlaps.parts(sources, 100), (8, 8)))
    for source in sources:
        source.source.__exit__()


def _coco(first: np.ndarray, second: np.ndarray) -> float:
    if not first.any() and not second.any():
        return 1.0
    packed = [coco.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in (first, second)]
    return float(coco.iou(packed[:1], packed[1:], [0])[0, 0])


def sources_of(tmp_path: Path, *rows: str) -> list[Index]:
    for place, text in enumerate(rows):
        (tmp_path / f"{place}.csv").write_text("image_name,class,rle\n" + text)
    return [Index(Sheet(tmp_path / f"{place}.csv", named("handbone"))) for place in range(len(rows))]


def test_missing_and_extra_rows_are_refused_and_named(tmp_path):
    sources = sources_of(tmp_path, "a,x,\nb,x,\nc,x,\n", "c,x,\nd,y,\n")
    with pytest.raises(SubmissionError) as refused:
        _overlaps.align(sources)
    assert "1.csv lacks 2 rows (a, x, ...) of" in str(refused.value)
    assert "1.csv has 1 row (d, y) more than" in str(refused.value)
    assert _overlaps.align(sources, partial=True) == [
        f"2 of 3 rows of {tmp_path / '0.csv'}",
        f"1 of 2 rows of {tmp_path / '1.csv'}",
    ]
    assert [source.keys for source in sources] == [[("c", "x")]] * 2
    for source in sources:
        source.source.__exit__()


def test_nothing_in_common_is_refused_even_in_part(tmp_path):
    sources = sources_of(tmp_path, "a,x,\n", "b,x,\n")
    with pytest.raises(SubmissionError, match="no row is in every source"):
        _overlaps.align(sources, partial=True)
    for source in sources:
        source.source.__exit__()


def test_a_grid_has_holes_where_there_is_no_key():
    grid = Grid([("b", "x"), ("a", "y"), ("b", "y")])
    assert (grid.images, grid.labels) == (["b", "a"], ["x", "y"])
    np.testing.assert_array_equal(grid.table(np.array([1.0, 2.0, 3.0])), [[1, 3], [np.nan, 2]])
