"""Words: eight or 64 characters of a text at once, for compiled loops.

Numba has no such access to an array of bytes of its own; these are the instructions that LLVM knows for it. They hold
on machines that keep the lowest byte of a word first, as all that Numba is made for do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_WORD = ir.IntType(64)


def _instruction(function: Callable[..., Any]) -> Any:
    """What compiled loops call without the context that Numba hands to `function`."""
    return intrinsic(function)


def _place(context: Any, builder: Any, kind: Any, arguments: Any, of: Any) -> Any:
    """Pointer to an entry of an array of bytes, as one to `of`."""
    data = cgutils.create_struct_proxy(kind)(context, builder, arguments[0]).data
    return builder.bitcast(builder.gep(data, [arguments[1]]), of.as_pointer())


@_instruction
def word(typingctx, text, at):
    """The eight characters from `at` on, the first in the lowest byte; all must be within the array."""

    def code(context, builder, signature, arguments):
        place = _place(context, builder, signature.args[0], arguments, _WORD)
        return builder.load(place, align=1)

    return types.uint64(text, types.int64), code


@_instruction
def equal(typingctx, text, at, character):
    """Which of the 64 characters from `at` on are this one, the first in the lowest bit."""

    def code(context, builder, signature, arguments):
        many = ir.VectorType(ir.IntType(8), 64)
        found = builder.load(_place(context, builder, signature.args[0], arguments, many), align=1)
        first = builder.insert_element(ir.Constant(many, ir.Undefined), arguments[2], ir.Constant(ir.IntType(32), 0))
        alike = builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64))
        return builder.bitcast(builder.icmp_unsigned("==", found, alike), _WORD)

    return types.uint64(text, types.int64, types.uint8), code


@_instruction
def trailing_zeros(typingctx, value):
    """How many of the lowest bits are zero; 64 of 0."""

    def code(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), code
