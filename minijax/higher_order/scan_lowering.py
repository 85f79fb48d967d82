"""Which StableHLO is a loop of known length?

A ``stablehlo.while`` that counts, and carries everything: the consts and inputs, which it returns
as they came, the counter, the carry, and arrays of zeros into which each iteration writes its
outputs. Iterations that ``unroll`` asks for are written one after the other inside; those that
are left over follow behind. A loop that would turn only once is no loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core.aval import ShapedArray
from minijax.core.jaxpr import Jaxpr
from minijax.stablehlo.ir import TensorType, Value, type_of_aval
from minijax.transforms.lowering import LoweringContext
from minijax.util import split_list


def lower_scan(
    ctx: LoweringContext,
    args: Sequence[Value],
    *,
    jaxpr: Jaxpr,
    length: int,
    reverse: bool,
    unroll: int,
    num_consts: int,
    num_carry: int,
) -> list[Value]:
    """Emit a scan; returns the final carry and the stacked outputs."""
    consts, carry, xs = split_list(args, [num_consts, num_carry])
    avals = ctx.avals_out[num_carry:]
    per_turn = max(unroll, 1)
    if length <= per_turn:
        return _straight_line(ctx, jaxpr, length, reverse, consts, carry, xs, avals)
    looped = length - length % per_turn
    ys = [_empty_stack(ctx, aval) for aval in avals]
    counter = ctx.constant(np.int32(0))
    operands = [*consts, *xs, counter, *carry, *ys]
    types = [v.type for v in operands]
    sizes = [len(consts), len(xs), 1, len(carry)]
    with ctx.region(types) as condition:
        _, _, (counter,), _ = split_list(condition.arguments, sizes[:3])
        ctx.return_(ctx.compare("LT", counter, ctx.constant(np.int32(looped))))
    with ctx.region(types) as body:
        fixed, inputs, (counter,), carry, ys = split_list(body.arguments, sizes)
        for _ in range(per_turn):
            index = counter
            if reverse:
                last = ctx.constant(np.int32(length - 1))
                index = ctx.like("stablehlo.subtract", last, counter)
            carry, row = _iterate(ctx, jaxpr, fixed, carry, inputs, index)
            ys = [_put_row(ctx, y, value, index) for y, value in zip(ys, row, strict=True)]
            counter = ctx.like("stablehlo.add", counter, ctx.constant(np.int32(1)))
        ctx.return_(*fixed, *inputs, counter, *carry, *ys)
    outs = ctx.ops("stablehlo.while", operands, types, [condition, body])
    _, _, _, carry, ys = split_list(outs, sizes)
    for i in range(looped, length):
        index = length - 1 - i if reverse else i
        carry, row = _iterate(ctx, jaxpr, consts, carry, xs, index)
        ys = [
            _put_row(ctx, y, value, ctx.constant(np.int32(index)))
            for y, value in zip(ys, row, strict=True)
        ]
    return [*carry, *ys]


def _straight_line(
    ctx: LoweringContext,
    jaxpr: Jaxpr,
    length: int,
    reverse: bool,
    consts: Sequence[Value],
    carry: Sequence[Value],
    xs: Sequence[Value],
    avals: Sequence[ShapedArray],
) -> list[Value]:
    """Emit all iterations one after the other, each at an index known here."""
    rows: list[list[Value]] = []
    for i in reversed(range(length)) if reverse else range(length):
        carry, row = _iterate(ctx, jaxpr, consts, carry, xs, i)
        rows.append([ctx.reshape(y, (1, *y.type.shape)) for y in row])
    if reverse:
        rows.reverse()
    if not rows:
        return [*carry, *(_empty_stack(ctx, aval) for aval in avals)]
    if len(rows) == 1:
        return [*carry, *rows[0]]
    stacks = [
        ctx.op("stablehlo.concatenate", *column, type=type_of_aval(aval), dimension=0)
        for column, aval in zip(zip(*rows, strict=True), avals, strict=True)
    ]
    return [*carry, *stacks]


def _iterate(
    ctx: LoweringContext,
    jaxpr: Jaxpr,
    consts: Sequence[Value],
    carry: Sequence[Value],
    xs: Sequence[Value],
    index: Any,
) -> tuple[list[Value], list[Value]]:
    """Emit one iteration; returns the carry and a row of each output."""
    outs = ctx.inline(jaxpr, [*consts, *carry, *(_take_row(ctx, x, index) for x in xs)])
    carry, row = split_list(outs, [len(carry)])
    return carry, row


def _empty_stack(ctx: LoweringContext, aval: ShapedArray) -> Value:
    """Return zeros for the iterations to write their outputs into."""
    return ctx.broadcast(ctx.constant(0, aval.dtype), aval.shape, ())


def _take_row(ctx: LoweringContext, x: Value, index: Any) -> Value:
    """Return row ``index`` (an int, or a value known at run time) of an array."""
    shape = x.type.shape[1:]
    if isinstance(index, int):
        zeros, ones = (0,) * len(shape), (1,) * len(shape)
        row = ctx.op(
            "stablehlo.slice", x, type=TensorType((1, *shape), x.type.element),
            start_indices=(index, *zeros), limit_indices=(index + 1, *shape), strides=(1, *ones),
        )  # fmt: skip
    else:
        row = ctx.op(
            "stablehlo.dynamic_slice", x, *_starts(ctx, index, len(shape)),
            type=TensorType((1, *shape), x.type.element), slice_sizes=(1, *shape),
        )  # fmt: skip
    return ctx.reshape(row, shape)


def _put_row(ctx: LoweringContext, stack: Value, row: Value, index: Value) -> Value:
    """Return an array with row ``index`` replaced."""
    row = ctx.reshape(row, (1, *row.type.shape))
    starts = _starts(ctx, index, row.type.ndim - 1)
    return ctx.like("stablehlo.dynamic_update_slice", stack, row, *starts)


def _starts(ctx: LoweringContext, index: Value, rest: int) -> list[Value]:
    return [index, *(ctx.constant(np.int32(0)) for _ in range(rest))]
