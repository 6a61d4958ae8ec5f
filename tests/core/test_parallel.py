"""Threads: results in order, few held at a time, errors where they belong."""

import threading
import time

import pytest

from phalanx.core import parallel


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_results_come_in_the_order_of_the_items(threads):
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return item * item

    assert list(parallel.ordered(slow_first, range(20), threads)) == [item * item for item in range(20)]


def test_items_are_drawn_as_they_are_needed():
    drawn = []

    def items():
        for item in range(50):
            drawn.append(item)
            yield item

    results = parallel.ordered(lambda item: item, items(), 2)
    assert next(results) == 0
    assert len(drawn) <= 4
    results.close()


def test_work_is_done_in_several_threads():
    both = threading.Barrier(2, timeout=10)
    assert list(parallel.ordered(lambda _: both.wait() >= 0, range(2), 2)) == [True, True]


def test_an_error_reaches_the_caller():
    def fails(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item

    with pytest.raises(ValueError, match="three"):
        list(parallel.ordered(fails, range(10), 2))
