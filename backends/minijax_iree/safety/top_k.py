"""The largest elements along the last axis."""

from __future__ import annotations

import numpy as np

from minijax.stablehlo.ir import Operation, TensorType, Value

from .inspect_ir import FLOAT_BITS, size
from .rewriter import Rewriter
from .sorting import sort_stably


def top_k_by_sort(rewriter: Rewriter, op: Operation) -> list[Value]:
    """Sort by decreasing keys that order the elements totally, and cut.

    Faults (IREE 3.13, all targets): of equal elements any may come first; NaN is taken for minus
    infinity; unsigned integers and truth values are compared as signed ones; the operand is
    overwritten (see `memory.protect`).
    """
    (x,) = op.operands
    if not all(size(result) for result in op.results):
        return [rewriter.zeros(result.type) for result in op.results]
    last = x.type.ndim - 1
    operands = [
        ordering_keys(rewriter, x),
        x,
        rewriter.iota(TensorType(x.type.shape, "i32"), last),
    ]
    scalars = [TensorType((), operand.type.element) for operand in operands for _ in range(2)]
    with rewriter.region(scalars) as comparator:
        rewriter.return_(rewriter.compare("GT", *comparator.arguments[:2]))
    types = [operand.type for operand in operands]
    attributes = {"dimension": last, "is_stable": True}
    sort = Operation("stablehlo.sort", operands, types, attributes, [comparator], op.source)
    _, values, indices = sort_stably(rewriter, sort)
    starts, limits = (0,) * (last + 1), (*x.type.shape[:-1], op.attributes["k"])
    return [rewriter.slice(values, starts, limits), rewriter.slice(indices, starts, limits)]


def ordering_keys(rewriter: Rewriter, x: Value) -> Value:
    """Emit integers in the order of the elements: NaN first or last by its sign, 0 above -0."""
    element = x.type.element
    if element == "i1":
        return rewriter.to_element(x, "i32")
    if element not in FLOAT_BITS:
        return x
    bits = FLOAT_BITS[element]
    number = rewriter.bitcast(x, TensorType(x.type.shape, f"i{bits}"))
    all_but_sign = rewriter.constant_like(np.iinfo(f"i{bits // 8}").max, number)
    turned = rewriter.like("stablehlo.xor", number, all_but_sign)
    is_negative = rewriter.compare("LT", number, rewriter.constant_like(0, number))
    return rewriter.select(is_negative, turned, number)
