"""Loops."""

from __future__ import annotations

from minijax.stablehlo.ir import Block, Operation, Value

from .inspect_ir import size, terminator
from .rewriter import Rewriter


def while_read_carries(rewriter: Rewriter, op: Operation) -> None:
    """Make the body of a loop read every carry, by a barrier over those that it does not read.

    Fault (IREE 3.13, llvm-cpu, cuda and vulkan): a carry that the body does not read, but gives
    another value, crashes the compiler or gives "failed to legalize unresolved source
    materialization". A truth value computed in the body for the condition is the usual case.

    A barrier of which no result is used is removed, hence one over a carry that the body reads as
    well: the smallest. One over all carries makes IREE compute wrong values in some loops.
    """
    body = op.regions[1]
    read_by_body = values_read(body)
    unread = [value for value in body.arguments if value not in read_by_body]
    read = [value for value in body.arguments if value in read_by_body]
    if unread and read:
        insert_barrier(rewriter, body, [*unread, min(read, key=size)])


def values_read(block: Block) -> set[Value]:
    """All values that the operations of a block use, the one that ends it left out."""
    last = terminator(block)
    return {operand for op in block.walk() if op is not last for operand in op.operands}


def insert_barrier(rewriter: Rewriter, body: Block, values: list[Value]) -> None:
    """Put a barrier over some arguments at the beginning of a block."""
    outer, rewriter.block = rewriter.block, Block()
    replacements = dict(zip(values, rewriter.barrier(values), strict=True))
    barrier = rewriter.block.operations
    rewriter.block = outer
    for op in body.walk():
        op.operands[:] = [replacements.get(operand, operand) for operand in op.operands]
    body.operations[:0] = barrier
