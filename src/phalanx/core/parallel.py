"""Parallel: threads over work that lets go of the interpreter (compiled loops, files, OpenCV)."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def processors() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered(work: Callable[[T], R], items: Iterable[T], threads: int = 0) -> Iterator[R]:
    """Yield `work(item)` of each item in order, computed ahead by threads.

    Never more than two results a thread are held, so memory does not grow with the number of items.

    Args:
        work: called in a thread.
        items: drawn in this thread, as they are needed.
        threads: how many; 0 is one a processor, 1 works without any.
    """
    threads = threads or processors()
    if threads == 1:
        yield from map(work, items)
        return
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
