"""Index: rows joined by key, united where a key has several, held to their image, turned."""

from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest

from phalanx.core.errors import SubmissionError
from phalanx.mask import runs
from phalanx.mask.dialect import named
from phalanx.mask.index import Index
from phalanx.mask.sheet import Sheet


@pytest.fixture
def index(tmp_path):
    with ExitStack() as stack:

        def opened(text, dialect="handbone", **options):
            (tmp_path / "a.csv").write_text(text)
            written = named(dialect) if isinstance(dialect, str) else dialect
            return Index(stack.enter_context(Sheet(tmp_path / "a.csv", written)), **options)

        yield opened


def masks(source, sizes=None):
    pile = source.masks(0, len(source.keys), sizes)
    return [pile.runs(place).tolist() for place in range(pile.count)]


def test_the_masks_follow_the_keys(index):
    found = index("image_name,class,rle\na,x,1 1\na,y,2 2\nb,x,\n")
    found.follow([("b", "x"), ("a", "y")])
    assert found.keys == [("b", "x"), ("a", "y")]
    assert masks(found) == [[], [[1, 3]]]


def test_objects_of_a_key_are_united_also_behind_another_key(index):
    text = "ImageId,EncodedPixels\na,7 2\nb,1 1\na,1 3\na,8 3\nc,\n"
    found = index(text, "dsb2018")
    assert found.keys == [("a", None), ("b", None), ("c", None)]
    assert masks(found) == [[[0, 3], [6, 10]], [[0, 1]], []]
    found.follow([("c", None), ("a", None)])
    assert masks(found) == [[], [[0, 3], [6, 10]]]
    pile = found.masks(1, 2, [(2, 5)])
    assert pile.runs(0).tolist() == [[0, 3], [6, 10]]


def test_a_class_that_comes_twice_is_refused_with_its_lines(index):
    with pytest.raises(SubmissionError, match=r"comes twice: .*a.csv, lines 2 and 4 \(a, x\)"):
        index("image_name,class,rle\na,x,1 1\na,y,2 2\na,x,\n")


def test_keys_that_one_name_hides_are_refused(index):
    with pytest.raises(SubmissionError, match=r"comes twice: .*\(a, x\)"):
        index("image_name,class,rle\na.png,x,1 1\na.jpg,x,2 2\n", naming=named("tgs"))


def test_runs_are_held_to_the_size_of_their_own_image(index):
    found = index("image_name,class,rle\na,x,1 6\nb,x,1 7\n")
    assert masks(found, [(2, 3), (7, 1)]) == [[[0, 6]], [[0, 7]]]
    with pytest.raises(SubmissionError, match=r"a.csv, line 3 \(b, x\)"):
        masks(found, [(2, 3), (2, 3)])


@pytest.mark.parametrize("order", ["row", "column"])
def test_turned_masks_are_the_dense_ones(index, order):
    size = (5, 7)
    dense = np.random.default_rng(3).random(size) < 0.4
    own = runs.from_mask(dense if order == "row" else dense.T)
    text = " ".join(f"{start + 1} {stop - start}" for start, stop in own.tolist())
    dialect = replace(named("handbone"), order=order)
    found = index(f"image_name,class,rle\na,x,{text}\n", dialect, turned=True)
    np.testing.assert_array_equal(masks(found, [size])[0], runs.from_mask(dense.T if order == "row" else dense))
    with pytest.raises(ValueError, match="size"):
        masks(found)
