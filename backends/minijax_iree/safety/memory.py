"""Arguments of a program must not change. IREE overwrites some; these rules copy them first."""

from __future__ import annotations

import numpy as np

from minijax.stablehlo.ir import Operation, Value

from .rewriter import Rewriter


def protect(rewriter: Rewriter, value: Value) -> Value:
    """Return `value`, or a copy of it if it may have the memory of an argument.

    Fault (IREE 3.13, llvm-cpu and vulkan, all optimization levels; iree-org/iree#16168): the
    operand of dynamic_update_slice, scatter, sort or top_k is updated in place even where it is an
    argument of the program. An optimization barrier does not help. A selection by a condition that
    IREE cannot see through makes a copy.
    """
    return copy(rewriter, value) if rewriter.shares_argument(value) else value


def copy(rewriter: Rewriter, value: Value, number: int = 0) -> Value:
    """Return a copy of `value` that IREE does not recognize as one.

    Copies of the same value with different numbers stay different; others may become one.
    """
    (true,) = rewriter.barrier([rewriter.constant(np.True_)])
    return rewriter.select(true, value, rewriter.constant_like(number % 128, value))


def update_protect_operand(rewriter: Rewriter, op: Operation) -> None:
    """Copy the operand of a dynamic_update_slice that may be an argument; see `protect`."""
    op.operands[0] = protect(rewriter, op.operands[0])
