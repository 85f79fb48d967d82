"""Gather must not read outside its operand."""

from __future__ import annotations

import numpy as np

from minijax.stablehlo.ir import Operation, TensorType

from .inspect_ir import integer_range, is_unsigned
from .rewriter import Rewriter


def gather_clamp_indices(rewriter: Rewriter, op: Operation) -> None:
    """Clamp start indices so that every slice lies inside the operand, as the specification says.

    Faults (IREE 3.13, all targets): indices are not clamped, memory outside the operand is read;
    unsigned indices are taken for signed ones.
    """
    operand, indices = op.operands
    numbers = op.attributes["dimension_numbers"]
    sizes = op.attributes["slice_sizes"]
    largest = integer_range(indices.type.element)[1]
    last = [min(operand.type.shape[d] - sizes[d], largest) for d in numbers["start_index_map"]]
    if not last:
        return
    axis = numbers["index_vector_dim"]
    shape = indices.type.shape
    if axis == len(shape):
        limits = rewriter.constant_like(last[0], indices)
    else:
        element_dtype = rewriter.dtype(indices)
        vector = rewriter.constant(np.array(last, element_dtype))
        limits = rewriter.broadcast(vector, shape, (axis,))
    zero = rewriter.constant_like(0, indices)
    clamped = rewriter.op(
        "stablehlo.clamp", zero, indices, limits, type=TensorType(shape, indices.type.element)
    )
    if is_unsigned(indices.type.element):
        clamped = rewriter.to_element(clamped, "i32" if max(last) < 2**31 else "i64")
    op.operands[1] = clamped
