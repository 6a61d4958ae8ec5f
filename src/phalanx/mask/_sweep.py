"""Sweep: the vote over the bounds of many members, compiled by Numba; see `_plain.vote` for what it does.

Masks of one object agree but for their borders, so that run after run can be decided at once: `few` does that, and goes
from bound to bound where members differ in more. `many` does nothing else, for any number of members.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import overload

from phalanx.mask._compile import compiled
from phalanx.mask._plain import END

# What a sweep knows of each member is a tuple (place in bounds, the bound there, what its weight does to the sum), kept
# in registers: the functions below are unrolled over the members by the compiler, which halves the time of arrays.


def _start(bounds: np.ndarray, heads: Any, weights: np.ndarray, row: int) -> Any:
    """The state of all members at the beginning of a row."""


def _least(members: Any) -> Any:
    """The next bound of any member."""


def _advance(bounds: np.ndarray, now: int, total: Any, members: Any) -> Any:
    """The sum of weights behind the bound `now`, and the members' state there. No branch depends on who has it."""


# Signatures without annotations: Numba compares them word by word.
@overload(_start)
def _start_unrolled(bounds, heads, weights, row):
    def more(bounds, heads, weights, row):
        at = heads[0][row]
        return ((at, bounds[at], weights[0]), *_start(bounds, heads[1:], weights[1:], row))

    return more if len(heads) else lambda bounds, heads, weights, row: ()


@overload(_least)
def _least_unrolled(members):
    if len(members) == 1:
        return lambda members: members[0][1]
    return lambda members: min(members[0][1], _least(members[1:]))


@overload(_advance)
def _advance_unrolled(bounds, now, total, members):
    def more(bounds, now, total, members):
        at, ahead, gain = members[0]
        hit = np.int64(ahead == now)
        at += hit
        total, rest = _advance(bounds, now, total + gain * hit, members[1:])
        return total, ((at, bounds[at], -gain if hit else gain), *rest)

    return more if len(members) else lambda bounds, now, total, members: (total, ())


# Where members agree, whole runs are decided at once. A knot is a run of every member such that all of them share a
# pixel, and no member's next run begins before all have ended: what is kept of it is one run, from the start at which
# enough weight has begun to the stop at which too much of it has ended. The sweep costs a wait for memory a bound; this
# costs none, and masks of one object are mostly knots.


def _knot(bounds: np.ndarray, members: Any) -> Any:
    """The run each member begins with, when none is inside of one: (start, stop, next start, weight)."""


def _latest(members: Any) -> Any:
    """The last of the members' next bounds."""


def _inner(knot: Any) -> Any:
    """The first stop, the last stop, and the first of the next starts."""


def _begun(knot: Any, start: int) -> Any:
    """The weight that has begun at a pixel."""


def _left(knot: Any, stop: int) -> Any:
    """The weight that has not ended before a pixel."""


def _kept(knot: Any, runs: Any, need: Any) -> Any:
    """Start and stop of what is kept; the start is END when nothing is."""


def _behind(members: Any, knot: Any) -> Any:
    """The members behind their runs."""


@overload(_knot)
def _knot_unrolled(bounds, members):
    def more(bounds, members):
        at, ahead, weight = members[0]
        return ((ahead, bounds[at + 1], bounds[at + 2], weight), *_knot(bounds, members[1:]))

    return more if len(members) else lambda bounds, members: ()


@overload(_latest)
def _latest_unrolled(members):
    if len(members) == 1:
        return lambda members: members[0][1]
    return lambda members: max(members[0][1], _latest(members[1:]))


@overload(_inner)
def _inner_unrolled(knot):
    def more(knot):
        first, last, ahead = _inner(knot[1:])
        return min(first, knot[0][1]), max(last, knot[0][1]), min(ahead, knot[0][2])

    return more if len(knot) > 1 else lambda knot: (knot[0][1], knot[0][1], knot[0][2])


@overload(_begun)
def _begun_unrolled(knot, start):
    def more(knot, start):
        return (knot[0][3] if knot[0][0] <= start else 0) + _begun(knot[1:], start)

    return more if len(knot) else lambda knot, start: 0


@overload(_left)
def _left_unrolled(knot, stop):
    def more(knot, stop):
        return (knot[0][3] if knot[0][1] >= stop else 0) + _left(knot[1:], stop)

    return more if len(knot) else lambda knot, stop: 0


@overload(_kept)
def _kept_unrolled(knot, runs, need):
    def more(knot, runs, need):
        start, stop = _kept(knot, runs[1:], need)
        first = runs[0][0] if _begun(knot, runs[0][0]) >= need else END
        last = runs[0][1] if _left(knot, runs[0][1]) >= need else 0
        return min(start, first), max(stop, last)

    return more if len(runs) else lambda knot, runs, need: (END, 0)


@overload(_behind)
def _behind_unrolled(members, knot):
    def more(members, knot):
        return ((members[0][0] + 2, knot[0][2], members[0][2]), *_behind(members[1:], knot[1:]))

    return more if len(members) else lambda members, knot: ()


# Where all weights are the same, and where one of them decides, only the order of the bounds matters.


def _starts(knot: Any) -> Any:
    """Starts of a knot."""


def _stops(knot: Any) -> Any:
    """Stops of a knot."""


def _sorted(values: Any) -> Any:
    """Ascending; without a branch."""


def _inserted(value: Any, values: Any) -> Any:
    """Ascending values with one more."""


def _ranked(values: Any, rank: int, otherwise: int) -> Any:
    """The value of a rank, from 1 on; `otherwise` when there are fewer."""


@overload(_starts)
def _starts_unrolled(knot):
    return (lambda knot: (knot[0][0], *_starts(knot[1:]))) if len(knot) else lambda knot: ()


@overload(_stops)
def _stops_unrolled(knot):
    # Negated, so that both ends of a run are found from below.
    return (lambda knot: (-knot[0][1], *_stops(knot[1:]))) if len(knot) else lambda knot: ()


@overload(_sorted)
def _sorted_unrolled(values):
    return (lambda values: _inserted(values[0], _sorted(values[1:]))) if len(values) else lambda values: ()


@overload(_inserted)
def _inserted_unrolled(value, values):
    def more(value, values):
        return (min(value, values[0]), *_inserted(max(value, values[0]), values[1:]))

    return more if len(values) else lambda value, values: (value,)


@overload(_ranked)
def _ranked_unrolled(values, rank, otherwise):
    def more(values, rank, otherwise):
        later = _ranked(values[1:], rank - 1, otherwise)
        return values[0] if rank == 1 else later

    return more if len(values) else lambda values, rank, otherwise: otherwise


@compiled
def few(
    bounds: np.ndarray,
    heads: Any,
    weights: np.ndarray,
    needs: np.ndarray,
    group: np.ndarray,
    out: np.ndarray,
    ends: np.ndarray,
) -> int:
    """Knot by knot, and a sweep over the members' bounds in order between them."""
    fill = 0
    for row in range(len(ends) - 1):
        ends[row] = fill
        need, shares = needs[group[row]], weights[group[row]]
        members = _start(bounds, heads, shares, row)
        alike = shares[0] > 0 and (shares == shares[0]).all()
        rank = -(-need // max(shares[0], 1))
        total = np.int64(0)
        inside = False
        while True:
            late = _latest(members)
            # A member of no weight may be inside of a run; it decides nothing.
            if total == 0 and late != END:
                knot = _knot(bounds, members)
                first, last, ahead = _inner(knot)
                if late < first and last < ahead:
                    if alike:
                        out[fill] = _ranked(_sorted(_starts(knot)), rank, END)
                        out[fill + 1] = -_ranked(_sorted(_stops(knot)), rank, 0)
                    else:
                        out[fill], out[fill + 1] = _kept(knot, knot, need)
                    fill += 2 * (out[fill] != END)
                    members = _behind(members, knot)
                    continue
            now = _least(members)
            if now == END:
                break
            total, members = _advance(bounds, now, total, members)
            kept = total >= need
            out[fill] = now
            fill += kept != inside
            inside = kept
        out[fill] = END
        fill += 1
    ends[len(ends) - 1] = fill
    return fill


@compiled
def many(
    bounds: np.ndarray,
    heads: np.ndarray,
    weights: np.ndarray,
    needs: np.ndarray,
    group: np.ndarray,
    out: np.ndarray,
    ends: np.ndarray,
) -> int:
    """The sweep of `few` with its state in arrays: half as fast, for any number of members."""
    members, rows = heads.shape[0], heads.shape[1] - 1
    at = np.empty(members, np.int64)
    ahead = np.empty(members, np.int64)
    gain = np.empty(members, np.int64)
    fill = 0
    for row in range(rows):
        ends[row] = fill
        need = needs[group[row]]
        for member in range(members):
            at[member] = heads[member, row]
            ahead[member] = bounds[at[member]]
            gain[member] = weights[group[row], member]
        total = 0
        inside = False
        while True:
            now = ahead[0]
            for member in range(1, members):
                now = min(now, ahead[member])
            if now == END:
                break
            for member in range(members):
                hit = ahead[member] == now
                total += gain[member] * hit
                gain[member] = -gain[member] if hit else gain[member]
                at[member] += hit
                ahead[member] = bounds[at[member]]
            kept = total >= need
            out[fill] = now
            fill += kept != inside
            inside = kept
        out[fill] = END
        fill += 1
    ends[rows] = fill
    return fill
