"""Compilation of loops: once for a machine, kept on disk, free of the interpreter while they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """A function as machine code, compiled when it is first called.

    What it calls should lie in the same file: Numba does not see that a function of another one has changed.
    """
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:
        # Neither the package's folder nor the user's cache can be written.
        return njit(nogil=True)(function)
