"""The compiled loops look at nothing before or behind their text: a look there would end the process."""

import ctypes
import mmap
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from phalanx.mask import _kernels, _plain

PAGE, PAGES = mmap.PAGESIZE, 8
# Cells from nothing to several vectors of numbers and more marks than are held at a time.
COUNTS = (0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 511, 513)


@contextmanager
def between_walls(content: bytes, at_end: bool) -> Iterator[np.ndarray]:
    """The bytes in memory of their own that begins, or ends, beside a page that nobody may read."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    room = mmap.mmap(-1, (PAGES + 2) * PAGE)
    whole = np.frombuffer(room, np.uint8)
    walls = (whole.ctypes.data, whole.ctypes.data + (PAGES + 1) * PAGE)
    first = (PAGES + 1) * PAGE - len(content) if at_end else PAGE
    text = whole[first : first + len(content)]
    text[:] = np.frombuffer(content, np.uint8)
    for wall in walls:
        assert libc.mprotect(wall, PAGE, 0) == 0
    try:
        yield text
    finally:
        for wall in walls:
            libc.mprotect(wall, PAGE, mmap.PROT_READ | mmap.PROT_WRITE)


# Cells are read in vectors only where eight characters lie before them.
HEAD = b"image,finger,"


def cell(count: int) -> bytes:
    return " ".join(f"{11 * place + 1} {place % 9 + 1}" for place in range(count)).encode()


@pytest.mark.parametrize(("head", "at_end"), [(b"", False), (HEAD, True)])
@pytest.mark.parametrize("count", COUNTS)
def test_a_mask_at_the_edge_of_the_memory_is_parsed(count: int, head: bytes, at_end: bool) -> None:
    content = head + cell(count)
    spans, limits = np.array([[len(head), len(content)]]), np.array([10**9])
    found = []
    with between_walls(content, at_end) as text:
        for engine in (_kernels, _plain):
            bounds = np.full(len(content) + 9, -7, np.int64)
            heads, faults = np.empty(2, np.int64), np.empty(1, np.uint8)
            fill = engine.parse(text, spans, 1, False, limits, bounds, 0, heads, faults)
            found.append((bounds[:fill].tolist(), heads.tolist(), faults.tolist()))
    assert found[0] == found[1]


@pytest.mark.parametrize("count", COUNTS[1:])
def test_two_masks_at_the_end_of_the_memory_are_measured(count: int) -> None:
    content = HEAD + cell(count)
    spans, limits = np.array([[len(HEAD), len(content)]]), np.array([10**9])
    with between_walls(content, True) as text, between_walls(content, True) as other:
        bounds, counts = np.empty(2 * len(content) + 64, np.int64), np.zeros((1, 3), np.int64)
        flags = np.array([False, False])
        assert _kernels.measure(text, spans, other, spans, np.array([1, 1]), flags, limits, bounds, counts)
    assert counts.tolist() == [[sum(place % 9 + 1 for place in range(count))] * 3]


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("count", COUNTS)
def test_lines_at_the_edge_of_the_memory_are_found(count: int, at_end: bool) -> None:
    content = b"image_name,class,rle\n" + b"".join(b"a.png,b%d," % row + cell(count) + b"\n" for row in range(3))
    found = []
    with between_walls(content, at_end) as text:
        for engine in (_kernels, _plain):
            spans, fills = np.zeros((9, 2), np.int64), np.zeros(3, np.int64)
            images, labels = (np.zeros(len(content) + 9, np.uint8) for _ in range(2))
            end = engine.lines(text, np.array([3, 0, 1, 2]), spans, images, labels, fills)
            found.append((int(end), spans.tolist(), fills.tolist(), images.tolist(), labels.tolist()))
    assert found[0] == found[1]
