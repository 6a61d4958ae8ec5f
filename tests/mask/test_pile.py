"""Many masks at once: the compiled kernels, the same in NumPy, and a dense brute force say the same."""

import csv
import io
from dataclasses import replace
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from phalanx.mask import _kernels, _plain, _sweep, pile, rle, runs
from phalanx.mask.dialect import DIALECTS

BONES, SIIM, CLOUDS = DIALECTS["handbone"], DIALECTS["siim"], DIALECTS["clouds"]
FORMS = [BONES, SIIM, CLOUDS, replace(BONES, base=0), replace(SIIM, base=1)]
ENGINES = [_kernels, _plain]
# Lengths differ from every count of members and rows used below.
PIXELS = 11


def masks(rows, pixels=PIXELS):
    """Boolean `(rows, pixels)`."""
    return arrays(np.bool_, (rows, pixels))


def piled(dense):
    return pile.of([runs.from_mask(row[None]) for row in dense])


def dense_of(found, pixels=PIXELS):
    return np.stack([runs.to_mask(found.runs(index), (1, pixels))[0] for index in range(found.count)])


def parsed(engine, cells, dialect, limits):
    """What a kernel writes for these cells."""
    text = np.frombuffer(b"".join(cells), np.uint8)
    stops = np.cumsum([len(cell) for cell in cells])
    spans = np.stack([stops - [len(cell) for cell in cells], stops], 1).astype(np.int64)
    bounds = np.full(len(text) + 3 * len(cells) + 1, -7, np.int64)
    heads, faults = np.empty(len(cells) + 1, np.int64), np.empty(len(cells), np.uint8)
    fill = engine.parse(text, spans, dialect.base, dialect.relative, np.array(limits), bounds, 1, heads, faults)
    return bounds[:fill].tolist(), heads.tolist(), faults.tolist()


@pytest.mark.parametrize("engine", ENGINES)
def test_parse_by_hand(engine):
    cells = [b"2 3 9 1", b"", b"1 2 3 4", b" 5  1 ", b"1 2 3", b"4 10"]
    bounds, heads, faults = parsed(engine, cells, BONES, [12] * 6)
    end = _plain.END
    assert bounds == [-7, 1, 4, 8, 9, end, end, 0, 6, end, 4, 5, end, end, end]
    assert heads == [1, 6, 7, 10, 13, 14, 15]
    assert faults == [0, 1, 0, 0, 1, 1]
    assert parsed(engine, [b"2 3 0 1 5 1"], SIIM, [12])[0] == [-7, 2, 6, 11, 12, end]


CELL = st.one_of(
    st.text(alphabet="0123456789 ", max_size=20),
    st.lists(st.integers(0, 14), max_size=6).map(lambda numbers: " ".join(map(str, numbers))),
    st.text(alphabet="0123456789 -.\0x", max_size=8),
    st.sampled_from(["9" * 18 + " 1", "9" * 19 + " 1", "1 " + "0" * 17 + "1", "1 " + "0" * 30 + "1"]),
)


@pytest.mark.parametrize("dialect", FORMS, ids=lambda dialect: f"{dialect.name}{dialect.base}")
@given(cells=st.lists(CELL, min_size=1, max_size=6), limits=st.lists(st.integers(1, 20), min_size=6, max_size=6))
def test_parse_compiled_and_plain(dialect, cells, limits):
    coded = [cell.encode() for cell in cells]
    assert parsed(_kernels, coded, dialect, limits[: len(cells)]) == parsed(
        _plain, coded, dialect, limits[: len(cells)]
    )


@pytest.mark.parametrize("dialect", FORMS, ids=lambda dialect: f"{dialect.name}{dialect.base}")
@given(dense=masks(4))
def test_parse_of_what_is_written(dialect, dense):
    stack = piled(dense)
    text, ends = pile.write(stack, dialect)
    texts = [text[start:stop].tobytes().decode() for start, stop in pairwise(ends.tolist())]
    line = replace(dialect, order="row", empty="", empties=("",))
    assert texts == [rle.encode(stack.runs(index), (1, PIXELS), line) for index in range(4)]
    back, faults = pile.parse(text, np.stack([ends[:-1], ends[1:]], 1), dialect, np.full(4, PIXELS))
    assert np.array_equal(dense_of(back), dense)
    assert faults.tolist() == np.flatnonzero(~dense.any(1)).tolist()


@pytest.mark.parametrize("dialect", FORMS, ids=lambda dialect: f"{dialect.name}{dialect.base}")
@given(dense=masks(3), shift=st.sampled_from([0, 10**9, 10**15]))
def test_write_compiled_and_plain(dialect, dense, shift):
    stack = piled(dense)
    bounds = np.where(stack.bounds < _plain.END, stack.bounds + shift, stack.bounds)
    found = []
    for engine in ENGINES:
        out, ends = np.zeros(20 * len(bounds), np.uint8), np.empty(4, np.int64)
        fill = engine.write(bounds, stack.heads, dialect.base, dialect.relative, out, ends)
        found.append((out[:fill].tobytes(), ends.tolist()))
    assert found[0] == found[1]


LONG = st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 10**5)), min_size=1, max_size=60)


@pytest.mark.parametrize("dialect", FORMS, ids=lambda dialect: f"{dialect.name}{dialect.base}")
@settings(max_examples=60)
@given(cells=st.lists(LONG, min_size=1, max_size=3), lead=st.integers(0, 70), fault=st.integers(-1, 400))
def test_parse_of_long_cells(dialect, cells, lead, fault):
    """Cells of many words and blocks, anywhere in the text, sound or with one strange character."""
    coded = [b"7 " * lead]
    for cell in cells:
        steps = np.cumsum([part for pair in cell for part in pair]).reshape(-1, 2)
        starts = steps[:, 0] - (np.append(0, steps[:-1, 1]) if dialect.relative else 0) + dialect.base
        numbers = np.stack([starts, steps[:, 1] - steps[:, 0]], 1)
        coded.append(" ".join(map(str, numbers.ravel().tolist())).encode())
    if 0 <= fault < len(coded[1]):
        coded[1] = coded[1][:fault] + b" x/:"[fault % 4 : fault % 4 + 1] + coded[1][fault + 1 :]
    limits = [10**12] * len(coded)
    found = parsed(_kernels, coded, dialect, limits)
    assert found == parsed(_plain, coded, dialect, limits)
    assert not any(found[2][2:])


@pytest.mark.parametrize("count", [1, 1023, 1024, 1025, 1056, 5000])
@pytest.mark.parametrize("fault", [b"", b"x", b" ", b":"])
def test_parse_of_very_long_cells(count, fault):
    """More runs than are held at a time; a fault is found wherever it is, and runs that touch are united."""
    rng = np.random.default_rng(count)
    steps = np.cumsum(rng.integers(1, 90, 2 * count)).reshape(-1, 2)
    steps[1::7, 0] = steps[:-1:7, 1][: len(steps[1::7])]
    numbers = np.stack([steps[:, 0] + 1, steps[:, 1] - steps[:, 0]], 1)
    cell = " ".join(map(str, numbers.ravel().tolist())).encode()
    place = int(rng.integers(0, len(cell)))
    cell = cell[:place] + fault + cell[place + len(fault) :]
    cells = [b"1 1 3 2 ", cell, b"5 2"]
    found = parsed(_kernels, cells, BONES, [10**9] * 3)
    assert found == parsed(_plain, cells, BONES, [10**9] * 3)
    if not fault:
        union = runs.union([steps])
        assert found[0][found[1][1] : found[1][2] - 1] == union.ravel().tolist()


@pytest.mark.parametrize("count", range(1, 21))
def test_usual_cells_take_the_quick_way(count):
    """The careful way would give the same masks, at a third of the speed."""
    cell = " ".join(f"{40 * run + 1} {1 + run}" for run in range(count)).encode()
    text = np.frombuffer(b"12345678 " + cell, np.uint8)
    bounds, ends = np.zeros(2 * count + 7, np.int64), np.zeros(_kernels._HELD + 64, np.int32)
    assert _kernels._usual_row(text, 9, len(text), 1, 10**9, ends, bounds, 0) == 2 * count
    assert bounds[: 2 * count].tolist() == [bound for run in range(count) for bound in (40 * run, 41 * run + 1)]


def lines_of(engine, text, columns):
    """What a kernel finds in a text: where the lines end, the masks' cells, the names; None for -1."""
    spans = np.full((len(text) // columns[0] + 1, 2), -7, np.int64)
    images, labels, fills = np.zeros(len(text) + 1, np.uint8), np.zeros(len(text) + 1, np.uint8), np.full(3, -7)
    data = np.frombuffer(text, np.uint8)
    end = engine.lines(data, np.array(columns), spans, images, labels, fills)
    if end < 0:
        return None
    rows, of_images, of_labels = fills.tolist()
    return end, spans[:rows].tolist(), images[:of_images].tobytes(), labels[:of_labels].tobytes()


@pytest.mark.parametrize("engine", ENGINES)
def test_lines_by_hand(engine):
    text = b"a.png,ulna,7 3\nb,,\nc.png,x"
    assert lines_of(engine, text, (3, 0, 1, 2)) == (19, [[11, 14], [18, 18]], b"a.png\nb\n", b"ulna\n\n")
    assert lines_of(engine, text, (3, 2, -1, 0)) == (19, [[0, 5], [15, 16]], b"7 3\n\n", b"")
    assert lines_of(engine, b"a,b", (3, 0, 1, 2)) == (0, [], b"", b"")
    for bad in (b"a,b\n", b"a,b,c,d\n", b"\n", b"a,b,c\nd,e,f,", b'a,b,c\n"', b"a,b,c\r\n", b"a,b,c\n\xc3"):
        assert lines_of(engine, bad, (3, 0, 1, 2)) is None


NAME = st.text(alphabet="ab.:-1 /\x00~", max_size=9)
RUNS = st.text(alphabet="0123456789 ", max_size=150)


@settings(max_examples=150)
@given(rows=st.lists(st.tuples(NAME, RUNS, NAME, NAME), max_size=5), rest=RUNS, data=st.data())
def test_lines_are_those_of_the_csv_module(rows, rest, data):
    """Whole lines of four cells and the beginning of one more; with one character changed both kernels say the same."""
    text = "".join(",".join(row) + "\n" for row in rows)
    whole = (text + rest).encode()
    columns = (4, *data.draw(st.permutations([0, 2, 1]).map(tuple)))
    read = list(csv.reader(io.StringIO(text)))
    found = pile.lines(np.frombuffer(whole, np.uint8), columns)
    assert found is not None
    end, spans, images, labels = found
    assert end == len(text)
    assert [whole[start:stop].decode() for start, stop in spans.tolist()] == [row[columns[3]] for row in read]
    assert images.decode() == "".join(row[columns[1]] + "\n" for row in read)
    assert labels.decode() == "".join(row[columns[2]] + "\n" for row in read)
    if whole:
        place = data.draw(st.integers(0, len(whole) - 1))
        changed = (
            whole[:place] + data.draw(st.sampled_from([b'"', b"\r", b"\x80", b",", b"\n", b"7"])) + whole[place + 1 :]
        )
        assert lines_of(_kernels, changed, columns) == lines_of(_plain, changed, columns)


def written(dense, dialect, lead=b"12345678 "):
    """Masks as cells somewhere in a text."""
    text, ends = pile.write(piled(dense), dialect)
    spans = np.stack([ends[:-1], ends[1:]], 1) + len(lead)
    return pile.Cells(np.frombuffer(lead + text.tobytes(), np.uint8), spans, dialect)


@pytest.mark.parametrize("name", ["_kernels", "_plain"])
@given(a=masks(4), b=masks(4))
def test_what_is_measured_is_that_of_pixels(name, a, b):
    first, second = written(a, BONES), written(b, replace(BONES, base=0), b"1 2 3 4 5 6 7 ")
    with mock.patch.object(pile, "engine", lambda: {"_kernels": _kernels, "_plain": _plain}[name]):
        found = pile.measure(first, second, np.full(4, PIXELS), pile.Workspace())
    assert found is not None
    np.testing.assert_array_equal(found, np.stack([(a & b).sum(1), a.sum(1), b.sum(1)], 1))


@pytest.mark.parametrize("name", ["_kernels", "_plain"])
def test_what_is_not_measured(name):
    """Cells at fault, and those that only `parse` can tell from them; `None` whichever side they are on."""
    engine = {"_kernels": _kernels, "_plain": _plain}[name]
    space, limits = pile.Workspace(), np.array([40, 20])

    def measured(cell, dialect=BONES):
        good = written(np.arange(PIXELS) % [[3], [4]] == 1, BONES)
        text = np.frombuffer(b"12345678 " + cell + b"2 3", np.uint8)
        cells = pile.Cells(text, np.array([[9 + len(cell), len(text)], [9, 9 + len(cell)]]), dialect)
        with mock.patch.object(pile, "engine", lambda: engine):
            found = [pile.measure(good, cells, limits, space), pile.measure(cells, good, limits, space)]
        assert (found[0] is None) == (found[1] is None)
        return None if found[0] is None else found[0].tolist()

    # Pixels 1, 4, 7 and 10 with 1 to 3; 1, 5 and 9 with the cell.
    assert measured(b"2 3 6 5") == [[1, 4, 3], [3, 3, 8]]
    assert measured(b"2 3 5 6") == [[1, 4, 3], [3, 3, 9]]
    assert measured(b"") == [[1, 4, 3], [0, 3, 0]]
    assert measured(b"", replace(BONES, empties=("-",))) is None
    assert measured(b"2 3", SIIM) is None
    for cell in (b"2 3 4 1", b"2 0", b"0 1", b"19 3", b"2", b"2 3 x 1", b"2 3 1 1", b"-"):
        assert measured(cell) is None


def brute_vote(members, weights, needs, group):
    """Boolean `(rows, pixels)`: the weight of those that mark a pixel, one pixel at a time."""
    total = np.zeros(members[0].shape, np.int64)
    for member, dense in enumerate(members):
        for row in range(len(dense)):
            total[row] += weights[group[row], member] * dense[row]
    return total >= needs[group][:, None]


# Each small number of members is compiled for itself, which takes seconds; 13 have a kernel for any number.
MEMBERS = st.sampled_from([1, 2, 3, 13]).flatmap(lambda count: st.lists(masks(3), min_size=count, max_size=count))


@settings(max_examples=60)
@given(members=MEMBERS, data=st.data())
def test_vote_is_the_brute_force(members, data):
    weights = np.array(data.draw(st.lists(st.integers(0, 5), min_size=2 * len(members), max_size=2 * len(members))))
    weights = weights.reshape(2, len(members))
    needs = np.array([data.draw(st.integers(1, 12)) for _ in range(2)])
    group = np.array([1, 0, 1])
    stacks = [piled(dense) for dense in members]
    found = pile.vote(stacks, weights, needs, group)
    assert np.array_equal(dense_of(found), brute_vote(members, weights, needs, group))
    for index in range(found.count):
        runs.check(found.runs(index), (1, PIXELS))
    bounds = np.concatenate([stack.bounds for stack in stacks])
    starts = np.cumsum([0, *(len(stack.bounds) for stack in stacks)])[:-1]
    heads = np.stack([stack.heads + start for stack, start in zip(stacks, starts, strict=True)])
    for engine in (_kernels.vote, _sweep.many, _plain.vote):
        out, ends = np.empty_like(bounds), np.empty(4, np.int64)
        fill = engine(bounds, heads, weights, needs, group, out, ends)
        assert (out[:fill].tolist(), ends.tolist()) == (found.bounds.tolist(), found.heads.tolist())


# A run of each member about a pixel of its own object: what votes of good networks look like.
OBJECT = st.tuples(st.integers(-2, 3), st.integers(1, 4))


@settings(max_examples=200)
@given(
    members=st.sampled_from([2, 3]).flatmap(
        lambda count: st.lists(st.lists(OBJECT, min_size=3, max_size=3), min_size=count, max_size=count)
    ),
    weights=st.lists(st.integers(0, 3), min_size=3, max_size=3),
    need=st.integers(1, 7),
)
def test_vote_of_members_that_agree(members, weights, need):
    pixels = 23
    dense = [np.zeros((2, pixels), bool) for _ in members]
    for mask, objects in zip(dense, members, strict=True):
        for place, (before, behind) in enumerate(objects):
            mask[1, 4 + 6 * place - before : 4 + 6 * place + max(behind, 1 - before)] = True
    shares = np.array([weights[: len(members)], [2] * len(members)])
    group, needs = np.array([0, 0]), np.array([need, 3])
    for groups in (group, group + 1):
        found = pile.vote(list(map(piled, dense)), shares, needs, groups)
        assert np.array_equal(dense_of(found, pixels), brute_vote(dense, shares, needs, groups))
        for index in range(found.count):
            runs.check(found.runs(index), (1, pixels))


def test_memory_that_is_used_again():
    space = pile.Workspace()
    text = b"3 4 9 1" + b"1 2"
    spans, limits = np.array([[0, 7], [7, 10]]), np.full(2, 30)
    for _ in range(3):
        space.clear()
        first, _ = pile.parse(np.frombuffer(text, np.uint8), spans, BONES, limits, space)
        second, _ = pile.parse(np.frombuffer(text, np.uint8), spans[::-1].copy(), BONES, limits, space)
        kept = pile.vote([first, second], np.ones((1, 2), np.int64), np.array([1]), np.zeros(2, np.int64), space)
        assert [kept.runs(row).tolist() for row in range(2)] == [[[0, 6], [8, 9]]] * 2
    again = pile.vote([second], np.ones((1, 1), np.int64), np.array([1]), np.zeros(2, np.int64), space)
    assert [again.runs(row).tolist() for row in range(2)] == [[[0, 2]], [[2, 6], [8, 9]]]
    assert [kept.runs(row).tolist() for row in range(2)] == [[[0, 6], [8, 9]]] * 2


def majority(stacks, weights):
    """More than half of all weight."""
    share = np.array([weights], np.int64)
    return pile.vote(stacks, share, np.array([share.sum() // 2 + 1]), np.zeros(stacks[0].count, np.int64))


@settings(max_examples=60)
@given(members=st.lists(masks(2), min_size=1, max_size=3), data=st.data())
def test_vote_knows_no_order_and_no_scale(members, data):
    weights = data.draw(st.lists(st.integers(1, 4), min_size=len(members), max_size=len(members)))
    stacks = [piled(dense) for dense in members]
    expected = dense_of(majority(stacks, weights))
    order = data.draw(st.permutations(range(len(members))))
    assert np.array_equal(dense_of(majority([stacks[i] for i in order], [weights[i] for i in order])), expected)
    assert np.array_equal(dense_of(majority(stacks * 2, weights * 2)), expected)
    assert np.array_equal(dense_of(majority(stacks, [7 * weight for weight in weights])), expected)


@given(dense=masks(3), weight=st.integers(1, 9))
def test_one_member_is_the_outcome(dense, weight):
    stack = piled(dense)
    found = majority([stack], [weight])
    assert (found.bounds.tolist(), found.heads.tolist()) == (stack.bounds.tolist(), stack.heads.tolist())


@pytest.mark.parametrize("dialect", [BONES, SIIM, CLOUDS], ids=lambda dialect: dialect.name)
@settings(max_examples=40)
@given(planes=arrays(np.bool_, (3, 4, 5)))
def test_vote_from_text_to_text(dialect, planes):
    """Three members of a 4 x 5 image, read, counted and written in the dialect's own pixel order."""
    stacks = []
    for plane in planes:
        text = rle.encode(runs.from_mask(plane), (4, 5), dialect).encode()
        cell, span = np.frombuffer(text, np.uint8), np.array([[0, len(text)]])
        stacks.append(pile.parse(cell, span, dialect, np.array([20]))[0])
    text, _ = pile.write(majority(stacks, [1, 1, 1]), dialect)
    found = rle.decode(text.tobytes().decode() or dialect.empty, (4, 5), dialect)
    assert np.array_equal(runs.to_mask(found, (4, 5)), planes.sum(0) >= 2)


@given(first=masks(3), second=masks(3))
def test_overlap_is_the_brute_force(first, second):
    expected = np.stack([(first & second).sum(1), first.sum(1), second.sum(1)], 1)
    a, b = piled(first), piled(second)
    assert np.array_equal(pile.overlap(a, b), expected)
    for engine in ENGINES:
        shared, areas = np.empty(3, np.int64), np.empty((3, 2), np.int64)
        engine.overlap(a.bounds, a.heads, b.bounds, b.heads, shared, areas)
        assert np.array_equal(np.concatenate([shared[:, None], areas], 1), expected)


@given(dense=masks(5), data=st.data())
def test_take_pick_and_join(dense, data):
    stack = piled(dense)
    indices = data.draw(st.lists(st.integers(0, 4), max_size=7))
    if indices:
        assert np.array_equal(dense_of(stack.pick(np.array(indices))), dense[indices])
    part = stack.take(1, 4)
    assert part.count == 3
    assert np.array_equal(dense_of(part), dense[1:4])
    assert np.array_equal(dense_of(pile.join([part, stack.take(0, 1)])), dense[[1, 2, 3, 0]])
    assert stack.lengths.tolist() == [len(stack.runs(index)) for index in range(5)]


def test_without_numba_the_answers_are_numpys(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "phalanx.mask._kernels", None)
    monkeypatch.delattr("phalanx.mask._kernels", raising=False)
    pile.engine.cache_clear()
    try:
        assert pile.engine() is _plain
    finally:
        monkeypatch.undo()
        pile.engine.cache_clear()
    assert pile.engine() is _kernels


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("cell", [b"1 2 2 1", b"1 2 1 2", b"5 9223372036854775807", b"9223372036854775807 5"])
def test_parse_leaves_what_overlaps_or_is_too_large(engine, cell):
    bounds, heads, faults = parsed(engine, [cell, b"3 1"], BONES, [2**61, 2**61])
    assert faults == [1, 0]
    assert heads == [1, 2, 5]
    assert bounds == [-7, _plain.END, 2, 3, _plain.END]


@given(dense=arrays(np.bool_, (3, 5, PIXELS)))
def test_vote_on_a_part_of_each_member(dense):
    members = [piled(rows).take(first, first + 2) for first, rows in zip((0, 2, 3), dense, strict=True)]
    shown = dense[0, 0:2].astype(int) + dense[1, 2:4] + dense[2, 3:5]
    group = np.zeros(2, np.int64)
    found = pile.vote(members, np.ones((1, 3), np.int64), np.array([2]), group)
    assert np.array_equal(dense_of(found), shown >= 2)
