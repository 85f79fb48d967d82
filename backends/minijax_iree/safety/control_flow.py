"""Loops: what a loop carries must change, and be read, in every round.

Fault (IREE 3.13, llvm-cpu, cuda and vulkan). A carry that the body returns as it got it, returns in
the place of another, or changes without reading it is dropped from one half of the loop only; the
same array as the initial value of two carries, or an argument of the program as that of one, is
released too early. The result is a crash of the compiler, "failed to legalize unresolved source
materialization", a null reference or a wrong value when the program runs. A truth value computed in
the body for the condition is the usual case. An optimization barrier over the carries makes matters
worse.
"""

from __future__ import annotations

import numpy as np

from minijax.stablehlo.ir import Block, Operation, Value

from .inspect_ir import terminator
from .memory import copy
from .rewriter import Rewriter


def while_plain_carries(rewriter: Rewriter, op: Operation) -> list[Value]:
    """Take constant carries out of a loop and make its body read all others.

    See the fault at the head of this file.
    """
    results = remove_constant_carries(rewriter, op)
    if op.operands:
        separate_initial_values(rewriter, op)
        read_changed_carries(rewriter, op)
    rewriter.append(op)
    return results


def remove_constant_carries(rewriter: Rewriter, op: Operation) -> list[Value]:
    """Let the loop use the initial value of carries that its body does not change.

    Returns the values of all results, in the order before.
    """
    condition, body = op.regions
    last = terminator(body)
    constant = [
        returned is carry for returned, carry in zip(last.operands, body.arguments, strict=True)
    ]
    initial = {
        carry: value
        for block in op.regions
        for carry, value, is_constant in zip(block.arguments, op.operands, constant, strict=True)
        if is_constant
    }
    for block in op.regions:
        replace_operands(block, initial)
    results = [
        value if is_constant else result
        for value, result, is_constant in zip(op.operands, op.results, constant, strict=True)
    ]
    for values in (op.operands, op.results, condition.arguments, body.arguments, last.operands):
        values[:] = [
            value for value, is_constant in zip(values, constant, strict=True) if not is_constant
        ]
    return results


def separate_initial_values(rewriter: Rewriter, op: Operation) -> None:
    """Start every carry with an array of its own, which is no argument of the program."""
    seen: set[Value] = set()
    for position, value in enumerate(op.operands):
        if value in seen or rewriter.shares_argument(value):
            op.operands[position] = copy(rewriter, value, position)
        seen.add(value)


def read_changed_carries(rewriter: Rewriter, op: Operation) -> None:
    """Make the next value of each carry depend on its present value.

    Where it does not, the body returns a choice between the two, by a condition that is always true
    but that IREE cannot see through.
    """
    body = op.regions[1]
    depends_on = carries_used(body)
    last = body.operations.pop()
    (true,) = rewriter.barrier([rewriter.constant(np.True_)])
    outer, rewriter.block = rewriter.block, body
    for position, carry in enumerate(body.arguments):
        following = last.operands[position]
        computed = following.defining_op is not None
        if not (computed and depends_on.get(following, 0) >> position & 1):
            last.operands[position] = rewriter.select(true, following, carry)
    rewriter.block = outer
    body.operations.append(last)


def replace_operands(block: Block, replacements: dict[Value, Value]) -> None:
    """Put other values in the place of operands, in nested regions as well."""
    if replacements:
        for op in block.walk():
            op.operands[:] = [replacements.get(operand, operand) for operand in op.operands]


def carries_used(block: Block) -> dict[Value, int]:
    """For each value of a block the arguments it is computed from: bit i stands for argument i."""
    used = {argument: 1 << position for position, argument in enumerate(block.arguments)}
    for op in block.operations:
        sources = 0
        for operand in op.operands:
            sources |= used.get(operand, 0)
        for region in op.regions:
            for inner in region.walk():
                for operand in inner.operands:
                    sources |= used.get(operand, 0)
        for result in op.results:
            used[result] = sources
    return used
