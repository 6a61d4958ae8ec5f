"""Words: many characters of a text at once, for compiled loops.

Numba has no such access to arrays of its own; these are the instructions that LLVM knows for it, vectors of the width
the machine has. They hold on machines that keep the lowest byte of a word first, as all that Numba is made for do.
Nothing here looks at the length of an array: that is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_WORD, _SHORT, _BIT = ir.IntType(64), ir.IntType(32), ir.IntType(1)
_EIGHT, _EIGHT_SHORT = ir.VectorType(_WORD, 8), ir.VectorType(_SHORT, 8)


def _instruction(function: Callable[..., Any]) -> Any:
    """What compiled loops call without the context that Numba hands to `function`."""
    return intrinsic(function)


def _place(context: Any, builder: Any, kind: Any, arguments: Any, of: Any) -> Any:
    """Pointer to the entry of an array, of those `(array, place)`, as one to `of`."""
    data = cgutils.create_struct_proxy(kind)(context, builder, arguments[0]).data
    return builder.bitcast(builder.gep(data, [arguments[1]]), of.as_pointer())


def _all(value: int, of: Any = _EIGHT) -> Any:
    """A constant in every lane."""
    return ir.Constant(of, [value] * of.count)


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
def beyond(typingctx, text, at):
    """Which of the 64 characters from `at` on are not ASCII, the first in the lowest bit."""

    def code(context, builder, signature, arguments):
        many = ir.VectorType(ir.IntType(8), 64)
        found = builder.load(_place(context, builder, signature.args[0], arguments, many), align=1)
        return builder.bitcast(builder.icmp_signed("<", found, _all(0, many)), _WORD)

    return types.uint64(text, types.int64), code


@_instruction
def others(typingctx, text, at):
    """Which of the 64 characters from `at` on are neither digits nor spaces, the first in the lowest bit."""

    def code(context, builder, signature, arguments):
        many = ir.VectorType(ir.IntType(8), 64)
        found = builder.load(_place(context, builder, signature.args[0], arguments, many), align=1)
        # What is below "0" wraps around to more than 9.
        no_digit = builder.icmp_unsigned(">", builder.sub(found, _all(48, many)), _all(9, many))
        no_space = builder.icmp_unsigned("!=", found, _all(32, many))
        return builder.bitcast(builder.and_(no_digit, no_space), _WORD)

    return types.uint64(text, types.int64), code


@_instruction
def trailing_zeros(typingctx, value):
    """How many of the lowest bits are zero; 64 of 0."""

    def code(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(_BIT, 0))

    return types.uint64(types.uint64), code


@_instruction
def ones(typingctx, value):
    """How many bits are set."""

    def code(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), code


@_instruction
def spread(typingctx, marks, block, out, at):
    """`block` plus the place of each of the 16 lowest bits set, to `out[at : at + 16]`, int32.

    Sixteen are written, however many there are: what follows the last of them means nothing.

    Returns:
        The other bits.
    """

    def code(context, builder, signature, arguments):
        rest, block, _, _ = arguments
        first = builder.trunc(block, _SHORT)
        place = _place(context, builder, signature.args[2], arguments[2:], _SHORT)
        for number in range(16):
            zeros = builder.trunc(builder.cttz(rest, ir.Constant(_BIT, 0)), _SHORT)
            builder.store(builder.add(first, zeros), builder.gep(place, [ir.Constant(_WORD, number)]))
            rest = builder.and_(rest, builder.sub(rest, ir.Constant(_WORD, 1)))
        return rest

    return types.uint64(types.uint64, types.int64, out, types.int64), code


def _pairs(builder: Any, digits: Any) -> Any:
    """Eight numbers of the eight digits in the bytes of each lane: pairs, fours, all."""
    pairs = builder.add(builder.mul(digits, _all(10)), builder.lshr(digits, _all(8)))
    low, high = (builder.and_(part, _all(0xFF000000FF)) for part in (pairs, builder.lshr(pairs, _all(16))))
    fours = builder.add(builder.mul(low, _all(0xF424000000064)), builder.mul(high, _all(0x271000000001)))
    return builder.lshr(fours, _all(32))


@_instruction
def numbers(typingctx, text, ends, at, out, fill):
    """Eight whole numbers of up to eight digits to `out[fill : fill + 8]`, int64.

    Args:
        typingctx: Numba's.
        text: uint8; the eight characters before each end must be within it.
        ends: int32; number `k` lies between `ends[at + k] + 1` and `ends[at + k + 1]`.
        at: the first of the numbers.
        out: int64, written.
        fill: where.

    Returns:
        One bit each: something else stands there than one to eight digits.
    """

    def code(context, builder, signature, arguments):
        text, ends, at, out, fill = arguments
        kinds = signature.args
        begins = builder.load(_place(context, builder, kinds[1], (ends, at), _EIGHT_SHORT), align=1)
        after = builder.add(at, ir.Constant(_WORD, 1))
        stops = builder.load(_place(context, builder, kinds[1], (ends, after), _EIGHT_SHORT), align=1)
        words = ir.Constant(_EIGHT, ir.Undefined)
        for lane in range(8):
            stop = builder.sext(builder.extract_element(stops, ir.Constant(_SHORT, lane)), _WORD)
            begin = builder.sub(stop, ir.Constant(_WORD, 8))
            word = builder.load(_place(context, builder, kinds[0], (text, begin), _WORD), align=1)
            words = builder.insert_element(words, word, ir.Constant(_SHORT, lane))
        less = builder.sub(builder.sub(stops, begins), _all(2, _EIGHT_SHORT))
        unfit = builder.icmp_unsigned(">", less, _all(7, _EIGHT_SHORT))
        # Characters before a number's first digit are made to zeros.
        shift = builder.and_(builder.shl(builder.sub(_all(7, _EIGHT_SHORT), less), _all(3, _EIGHT_SHORT)),
                             _all(63, _EIGHT_SHORT))  # fmt: skip
        digits = builder.and_(builder.xor(words, _all(0x3030303030303030)),
                              builder.shl(_all(-1), builder.zext(shift, _EIGHT)))  # fmt: skip
        # All but digits are lifted to the sign bit of their byte.
        lifted = builder.or_(builder.add(digits, _all(0x7676767676767676)), digits)
        strange = builder.icmp_unsigned("!=", builder.and_(lifted, _all(0x8080808080808080)), _all(0))
        builder.store(_pairs(builder, digits), _place(context, builder, kinds[3], (out, fill), _EIGHT), align=1)
        return builder.zext(builder.bitcast(builder.or_(strange, unfit), ir.IntType(8)), _WORD)

    return types.uint64(text, ends, types.int64, out, types.int64), code
